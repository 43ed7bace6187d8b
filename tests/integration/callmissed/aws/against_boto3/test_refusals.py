"""What DynamoDB Local refuses is refused in the same words as boto3's."""

from typing import Any

import pytest

from callmissed.aws.attributes import to_item
from callmissed.platform.tables import LEDGER, WALLETS, Table
from callmissed.platform.tenant_data import NO_TENANT_DATA
from tests.support.aws.two_clients import STAGE, ClientPair, named


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
        (
            "TransactWriteItems",
            transaction(Table("nothing", "id", tenant_data=NO_TENANT_DATA), id="x"),
            "ResourceNotFoundException",
        ),
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
