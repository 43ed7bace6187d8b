"""Observers of requests get the units that boto3 gets."""

from typing import Any

import pytest

from callmissed.aws.attributes import to_item
from callmissed.aws.dynamodb import ConditionFailed, Exchange
from callmissed.platform.tables import LEDGER, WALLETS
from tests.support.aws.two_clients import ClientPair, named, never, payment


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
