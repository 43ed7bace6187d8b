"""Batches, queries and scans are as boto3's: same pages, same answers, on DynamoDB Local."""

from typing import Any

import pytest

from callmissed.aws.attributes import to_item
from callmissed.ids import new_id
from callmissed.platform.tables import LEDGER, WALLETS
from tests.support.aws.two_clients import ClientPair, answer, named, pages


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
