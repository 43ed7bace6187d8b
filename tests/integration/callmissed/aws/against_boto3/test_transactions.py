"""Transactions are as boto3's: same answers and same reasons of a cancellation, on DynamoDB Local."""

from typing import Any

from callmissed.aws.attributes import to_item
from callmissed.ids import new_id
from callmissed.platform.tables import LEDGER, WALLETS
from tests.support.aws.two_clients import STAGE, ClientPair, answer, named, payment


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
