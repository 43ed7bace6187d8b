"""Items are read and written as boto3 does it: same request, same item, same answer, on DynamoDB Local."""

from typing import Any

import pytest

from callmissed.aws.attributes import from_item, to_item
from callmissed.platform.tables import LEDGER, WALLETS
from tests.support.aws.two_clients import FULL, ClientPair, answer, named, never


@pytest.mark.parametrize("consistent", [True, False])
async def test_get_an_item_of_every_type(clients: ClientPair, wallet: dict[str, Any], consistent: bool) -> None:
    found = answer(await clients.both("GetItem", wallet | {"ConsistentRead": consistent}))

    item = from_item(found["Item"])
    assert item | FULL == item


async def test_get_parts_of_an_item(clients: ClientPair, wallet: dict[str, Any]) -> None:
    request = wallet | {
        "ProjectionExpression": "#n, h.#c[0], h.deep",
        "ExpressionAttributeNames": {"#n": "name", "#c": "call"},
    }

    found = answer(await clients.both("GetItem", request))

    assert from_item(found["Item"]) == {"name": FULL["name"], "h": {"call": [7], "deep": FULL["h"]["deep"]}}


async def test_get_an_item_that_does_not_exist(clients: ClientPair, id: str) -> None:
    assert answer(await clients.both("GetItem", {"TableName": named(WALLETS), "Key": to_item({"id": id})})) == {}


@pytest.mark.parametrize("returned", ["NONE", "ALL_OLD"])
async def test_put_over_an_item(clients: ClientPair, wallet: dict[str, Any], returned: str) -> None:
    item = wallet["Key"] | to_item({"av": 1})

    found = answer(await clients.both("PutItem", {"TableName": named(WALLETS), "Item": item, "ReturnValues": returned}))

    assert (found == {}) == (returned == "NONE")


async def test_put_once(clients: ClientPair, id: str) -> None:
    request = {
        "TableName": named(LEDGER),
        "Item": to_item({"tenant": id, "entry": "one", "amount": 5}),
        "ConditionExpression": "attribute_not_exists(entry)",
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }

    assert answer(await clients.both("PutItem", request)) == {}
    again = await clients.both("PutItem", request | {"Item": to_item({"tenant": id, "entry": "one", "amount": 6})})

    assert again.item == {"tenant": id, "entry": "one", "amount": 5}


@pytest.mark.parametrize("size", [400 * 1024 - 100, 400 * 1024 + 100])
async def test_put_at_the_limit_of_an_items_size(clients: ClientPair, id: str, size: int) -> None:
    item = to_item({"id": id, "text": "x" * size})
    outcome = await clients.both("PutItem", {"TableName": named(WALLETS), "Item": item})

    assert outcome.code == ("" if size < 400 * 1024 else "ValidationException")
    await clients.both("DeleteItem", {"TableName": named(WALLETS), "Key": to_item({"id": id})})


@pytest.mark.parametrize("returned", ["NONE", "ALL_OLD", "UPDATED_OLD", "ALL_NEW", "UPDATED_NEW"])
async def test_update_in_every_way(clients: ClientPair, wallet: dict[str, Any], returned: str) -> None:
    request = wallet | {
        "UpdateExpression": "SET av = av - :one, h.#new = :hold, h.deep.er[1] = :name,"
        " fresh = if_not_exists(fresh, :one) REMOVE h.#old, #name ADD tags :more, nothing :one DELETE gone :more",
        "ConditionExpression": "av > nothing AND attribute_exists(h.#old) AND NOT contains(tags, :name)",
        "ExpressionAttributeNames": {"#new": "01", "#old": "call", "#name": "name"},
        "ExpressionAttributeValues": to_item(
            {":one": 1, ":hold": [5, 2, "stt"], ":name": "z", ":more": frozenset({"b", "a"})}
        ),
        "ReturnValues": returned,
    }

    found = answer(await clients.both("UpdateItem", request))

    changed = {
        "NONE": set[str](),
        "ALL_OLD": {"id", *FULL},
        "UPDATED_OLD": {"av", "name", "tags", "nothing", "h"},
        "ALL_NEW": {"id", "fresh", *FULL} - {"name"},
        "UPDATED_NEW": {"av", "tags", "nothing", "h", "fresh"},
    }
    assert set(found.get("Attributes", {})) == changed[returned]


async def test_update_makes_an_item(clients: ClientPair, id: str) -> None:
    request = {
        "TableName": named(WALLETS),
        "Key": to_item({"id": id}),
        "UpdateExpression": "SET av = :av",
        "ExpressionAttributeValues": to_item({":av": 3}),
        "ReturnValues": "ALL_NEW",
    }

    assert from_item(answer(await clients.both("UpdateItem", request))["Attributes"]) == {"id": id, "av": 3}


async def test_a_failed_condition_carries_the_item_as_it_was(clients: ClientPair, wallet: dict[str, Any]) -> None:
    request = never(wallet) | {"ReturnValuesOnConditionCheckFailure": "ALL_OLD"}

    outcome = await clients.both("UpdateItem", request)

    assert outcome.item == from_item(wallet["Key"]) | FULL


async def test_a_failed_condition_carries_nothing_unless_it_was_asked_to(
    clients: ClientPair, wallet: dict[str, Any]
) -> None:
    outcome = await clients.both("UpdateItem", never(wallet))

    assert (outcome.code, outcome.item) == ("ConditionalCheckFailedException", {})


async def test_a_failed_condition_carries_nothing_where_there_was_nothing(clients: ClientPair, id: str) -> None:
    missing = {
        "TableName": named(WALLETS),
        "Key": to_item({"id": id}),
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }

    outcome = await clients.both("UpdateItem", never(missing))

    assert (outcome.code, outcome.item) == ("ConditionalCheckFailedException", {})
