"""The client does what boto3 does: same request, same item, same answer, same refusal, on DynamoDB Local."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from callmissed.aws.attributes import from_item, to_item
from callmissed.aws.dynamodb import ConditionFailed, Exchange
from callmissed.ids import new_id
from callmissed.platform.tables import LEDGER, WALLETS, Table
from local.aws.tables import StageTables
from tests.support.aws.two_clients import STAGE, ClientPair, Outcome, named

FULL: dict[str, Any] = {
    "av": 10**38 - 1,
    "debt": -(10**38) + 1,
    "nothing": 0,
    "name": 'நன்றி ✓ 🙂 \u2028 "\\ \t',
    "empty": "",
    "yes": True,
    "no": False,
    "none": None,
    "tags": frozenset({"a", "é", "🙂"}),
    "h": {"call": [7, 1, "llm"], "deep": {"er": [{"x": {}}, []]}},
}


@pytest.fixture(scope="session")
async def clients(new_tables: Callable[[], StageTables]) -> AsyncIterator[ClientPair]:
    """Shared by these tests; each has items of its own."""
    clients = ClientPair(new_tables(), new_tables())
    yield clients
    await clients.close()


@pytest.fixture
def id() -> str:
    """Id of an item that no other test knows."""
    return new_id("tnt")


@pytest.fixture
async def wallet(clients: ClientPair, id: str) -> dict[str, Any]:
    """An item with everything in it, and how requests name it."""
    await clients.both("PutItem", {"TableName": named(WALLETS), "Item": to_item({"id": id} | FULL)})
    return {"TableName": named(WALLETS), "Key": to_item({"id": id})}


@pytest.fixture(scope="session")
async def tenant(clients: ClientPair) -> str:
    """A tenant with seven entries, which tests only read."""
    tenant = new_id("tnt")
    for number in range(7):
        item = to_item({"tenant": tenant, "entry": f"{number:024d}", "amount": number, "odd": bool(number % 2)})
        await clients.both("PutItem", {"TableName": named(LEDGER), "Item": item})
    return tenant


@pytest.fixture
def entries(tenant: str) -> dict[str, Any]:
    """A query for the tenant's entries."""
    return {
        "TableName": named(LEDGER),
        "KeyConditionExpression": "tenant = :tenant",
        "ExpressionAttributeValues": to_item({":tenant": tenant}),
    }


def answer(outcome: Outcome) -> dict[str, Any]:
    assert outcome.answer is not None
    return outcome.answer


async def pages(clients: ClientPair, operation: str, request: dict[str, Any]) -> list[dict[str, Any]]:
    """All pages of a Query or Scan."""
    found = [answer(await clients.both(operation, request))]
    while "LastEvaluatedKey" in found[-1]:
        found.append(
            answer(await clients.both(operation, request | {"ExclusiveStartKey": found[-1]["LastEvaluatedKey"]}))
        )
    return found


# GetItem


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


# PutItem


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


# UpdateItem


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


def never(wallet: dict[str, Any]) -> dict[str, Any]:
    """An update whose condition does not hold."""
    return wallet | {
        "UpdateExpression": "SET av = :zero",
        "ConditionExpression": "av < :zero",
        "ExpressionAttributeValues": to_item({":zero": 0}),
    }


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


# BatchGetItem


async def test_batch_get_from_two_tables_what_is_there(
    clients: ClientPair, wallet: dict[str, Any], tenant: str, id: str
) -> None:
    some = [to_item({"tenant": tenant, "entry": f"{number:024d}"}) for number in (1, 3, 9)]
    request = {
        "RequestItems": {
            named(WALLETS): {"Keys": [wallet["Key"], to_item({"id": "nobody"})], "ConsistentRead": True},
            named(LEDGER): {"Keys": some, "ProjectionExpression": "amount"},
        }
    }

    found = answer(await clients.both("BatchGetItem", request))

    assert [item["id"] for item in found["Responses"][named(WALLETS)]] == [{"S": id}]
    assert sorted(item["amount"]["N"] for item in found["Responses"][named(LEDGER)]) == ["1", "3"]
    assert found["UnprocessedKeys"] == {}


async def test_batch_get_of_nothing_that_is_there(clients: ClientPair, id: str) -> None:
    request = {"RequestItems": {named(WALLETS): {"Keys": [to_item({"id": id})]}}}

    assert answer(await clients.both("BatchGetItem", request))["Responses"] == {named(WALLETS): []}


# Query and Scan


@pytest.mark.parametrize("forward", [True, False])
@pytest.mark.parametrize(("limit", "sizes"), [(1, [1] * 7 + [0]), (3, [3, 3, 1]), (7, [7, 0]), (8, [7])])
async def test_query_page_by_page(
    clients: ClientPair, entries: dict[str, Any], forward: bool, limit: int, sizes: list[int]
) -> None:
    found = await pages(clients, "Query", entries | {"ScanIndexForward": forward, "Limit": limit})

    assert [page["Count"] for page in found] == sizes
    amounts = [int(item["amount"]["N"]) for page in found for item in page["Items"]]
    assert amounts == (list(range(7)) if forward else list(reversed(range(7))))


async def test_query_with_a_range_and_a_filter(clients: ClientPair, entries: dict[str, Any], tenant: str) -> None:
    request = entries | {
        "KeyConditionExpression": "tenant = :tenant AND entry < :before",
        "FilterExpression": "odd = :yes",
        "ExpressionAttributeValues": to_item({":tenant": tenant, ":before": f"{5:024d}", ":yes": True}),
        "ProjectionExpression": "amount",
        "ConsistentRead": True,
    }

    found = answer(await clients.both("Query", request))

    assert [item["amount"]["N"] for item in found["Items"]] == ["1", "3"]
    assert (found["Count"], found["ScannedCount"]) == (2, 5)


async def test_query_of_nobody(clients: ClientPair) -> None:
    request = {
        "TableName": named(LEDGER),
        "KeyConditionExpression": "tenant = :tenant",
        "ExpressionAttributeValues": to_item({":tenant": "nobody"}),
    }

    assert answer(await clients.both("Query", request)) == {"Items": [], "Count": 0, "ScannedCount": 0}


async def test_scan_page_by_page(clients: ClientPair, tenant: str) -> None:
    everything = await pages(clients, "Scan", {"TableName": named(LEDGER), "Limit": 5})
    count = await pages(clients, "Scan", {"TableName": named(LEDGER), "Select": "COUNT"})

    assert len(everything) > 1
    assert [page["ScannedCount"] for page in everything[:-1]] == [5] * (len(everything) - 1)
    found = {item["entry"]["S"] for page in everything for item in page["Items"] if item["tenant"]["S"] == tenant}
    assert found == {f"{number:024d}" for number in range(7)}
    assert sum(page["Count"] for page in count) == sum(page["Count"] for page in everything)


async def test_scan_ends_a_page_at_a_megabyte(clients: ClientPair) -> None:
    keys = [to_item({"id": new_id("big")}) for _ in range(4)]
    for key in keys:
        item = key | to_item({"text": "x" * 390_000})
        await clients.both("PutItem", {"TableName": named(WALLETS), "Item": item})
    request = {
        "TableName": named(WALLETS),
        "FilterExpression": "begins_with(id, :big)",
        "ExpressionAttributeValues": to_item({":big": "big_"}),
    }

    found = await pages(clients, "Scan", request)

    assert len(found) > 1
    assert sum(page["Count"] for page in found) == 4
    for key in keys:
        await clients.both("DeleteItem", {"TableName": named(WALLETS), "Key": key})


# TransactWriteItems


def payment(id: str, amount: int = 5) -> list[dict[str, Any]]:
    """What is paid once, and the wallet that it goes to."""
    once = {"ConditionExpression": "attribute_not_exists(tenant)"}
    exists = {"ConditionExpression": "attribute_exists(id)"}
    credit = {"UpdateExpression": "SET av = :av", "ExpressionAttributeValues": to_item({":av": amount})}
    return [
        {"Put": {"TableName": named(LEDGER), "Item": to_item({"tenant": id, "entry": "paid"}), **once}},
        {"Update": {"TableName": named(WALLETS), "Key": to_item({"id": id}), **credit, **exists}},
    ]


async def test_a_transaction_is_applied_whole(clients: ClientPair, wallet: dict[str, Any], id: str) -> None:
    assert answer(await clients.both("TransactWriteItems", {"TransactItems": payment(id)})) == {}

    found = answer(await clients.both("GetItem", wallet | {"ConsistentRead": True}))
    assert found["Item"]["av"] == {"N": "5"}


async def test_a_cancelled_transaction_has_the_reason_of_each_part(
    clients: ClientPair, wallet: dict[str, Any], id: str
) -> None:
    missing = await clients.both("TransactWriteItems", {"TransactItems": payment(new_id("tnt"))})
    await clients.both("TransactWriteItems", {"TransactItems": payment(id)})
    twice = await clients.both("TransactWriteItems", {"TransactItems": payment(id)})
    check = {"TableName": named(WALLETS), "Key": wallet["Key"], "ConditionExpression": "attribute_not_exists(id)"}
    delete = {"TableName": named(LEDGER), "Key": to_item({"tenant": id, "entry": "none"})}
    checked = await clients.both(
        "TransactWriteItems", {"TransactItems": [{"Delete": delete}, {"ConditionCheck": check}]}
    )

    assert missing.reasons == ("None", "ConditionalCheckFailed")
    assert twice.reasons == ("ConditionalCheckFailed", "None")
    assert checked.reasons == ("None", "ConditionalCheckFailed")


async def test_a_transaction_of_one_token_is_applied_once(clients: ClientPair, wallet: dict[str, Any], id: str) -> None:
    request = {"TransactItems": payment(id), "ClientRequestToken": f"{STAGE}-{id[-6:]}"}

    assert answer(await clients.both("TransactWriteItems", request)) == {}
    assert answer(await clients.both("TransactWriteItems", request)) == {}
    other = await clients.both("TransactWriteItems", request | {"TransactItems": payment(id, 6)})

    assert other.code == "IdempotentParameterMismatchException"


# Refusals


def transaction(table: Table, **item: Any) -> dict[str, Any]:
    """A transaction of one part."""
    return {"TransactItems": [{"Put": {"TableName": named(table), "Item": to_item(item)}}]}


@pytest.mark.parametrize(
    ("operation", "request_", "code"),
    [
        ("GetItem", {"TableName": f"{STAGE}-nothing", "Key": to_item({"id": "x"})}, "ResourceNotFoundException"),
        ("GetItem", {"TableName": named(WALLETS), "Key": to_item({"tenant": "x"})}, "ValidationException"),
        ("GetItem", {"TableName": named(WALLETS), "Key": to_item({"id": ""})}, "ValidationException"),
        ("PutItem", {"TableName": named(WALLETS), "Item": to_item({"av": 1})}, "ValidationException"),
        (
            "PutItem",
            {"TableName": named(WALLETS), "Item": to_item({"id": "x", "s": frozenset()})},
            "ValidationException",
        ),
        (
            "PutItem",
            {"TableName": named(WALLETS), "Item": to_item({"id": "x", "n": -(10**38) - 1})},
            "ValidationException",
        ),
        ("Query", {"TableName": named(LEDGER), "KeyConditionExpression": "tenant ="}, "ValidationException"),
        ("Scan", {"TableName": named(LEDGER), "FilterExpression": "amount ="}, "ValidationException"),
        ("TransactWriteItems", transaction(LEDGER, tenant="x"), "ValidationException"),
        ("TransactWriteItems", transaction(Table("nothing", "id"), id="x"), "ResourceNotFoundException"),
    ],
)
async def test_a_wrong_request_is_refused_in_dynamodbs_words(
    clients: ClientPair, operation: str, request_: dict[str, Any], code: str
) -> None:
    outcome = await clients.both(operation, request_)

    assert outcome.code == code
    assert outcome.message


async def test_an_update_that_does_not_fit_the_item_is_refused(clients: ClientPair, wallet: dict[str, Any]) -> None:
    request = wallet | {
        "UpdateExpression": "SET #name = #name + :one",
        "ExpressionAttributeNames": {"#name": "name"},
        "ExpressionAttributeValues": to_item({":one": 1}),
    }

    assert (await clients.both("UpdateItem", request)).code == "ValidationException"


# Counting


async def test_an_observer_gets_the_units_that_boto3_gets(
    clients: ClientPair, wallet: dict[str, Any], entries: dict[str, Any], id: str
) -> None:
    update = {"UpdateExpression": "SET av = :av", "ExpressionAttributeValues": to_item({":av": 1})}
    item = to_item({"tenant": id, "entry": "paid before"})
    keys = {"Keys": [wallet["Key"]], "ConsistentRead": True}
    requests: list[tuple[str, dict[str, Any], str]] = [
        ("GetItem", wallet, named(WALLETS)),
        ("GetItem", wallet | {"ConsistentRead": True}, named(WALLETS)),
        ("PutItem", {"TableName": named(LEDGER), "Item": item}, named(LEDGER)),
        ("UpdateItem", wallet | update, named(WALLETS)),
        ("BatchGetItem", {"RequestItems": {named(WALLETS): keys, named(LEDGER): {"Keys": [item]}}}, ""),
        ("Query", entries, named(LEDGER)),
        ("Scan", {"TableName": named(LEDGER)}, named(LEDGER)),
        ("TransactWriteItems", {"TransactItems": payment(id)}, ""),
    ]

    for operation, request, table in requests:
        exchange, units = await clients.counted(operation, request)

        assert units > 0
        assert exchange == Exchange(operation, table, units)


async def test_an_observer_gets_a_condition_that_failed(clients: ClientPair, wallet: dict[str, Any]) -> None:
    clients.exchanges.clear()

    with pytest.raises(ConditionFailed):
        await clients.counting.call("UpdateItem", clients.of_ours(never(wallet)))

    (exchange,) = clients.exchanges
    assert (exchange.operation, exchange.table) == ("UpdateItem", clients.of_ours(wallet)["TableName"])
