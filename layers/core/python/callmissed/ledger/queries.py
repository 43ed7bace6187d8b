"""What operators and tenants ask of the ledger: a balance, and entries newest first."""

from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from callmissed.aws.attributes import Item, from_item, to_item
from callmissed.aws.dynamodb import DynamoDB, Unavailable
from callmissed.aws.paging import items
from callmissed.clock import month_of
from callmissed.errors import ApiError
from callmissed.ledger.shards import wallet_id
from callmissed.ledger.wallet import NO_BUDGET, SERVICES, held, quota_name, quotas, spent
from callmissed.platform.tables import LEDGER, WALLETS, physical_name
from callmissed.tenancy.plans import UNLIMITED, limits
from callmissed.tenancy.tenants import get_tenant

MOST_ENTRIES = 1000
"""Entries that one question may ask for."""


@dataclass(frozen=True, slots=True)
class Balance:
    """A tenant's money in micro-credits. `spent` and `quotas_left` are of `month`, such as 202611.

    `available + held + spent_ever = granted`. None stands for no monthly budget, and for a quota without limit.
    """

    tenant: str
    plan: str
    status: str
    available: int
    held: int
    granted: int
    spent_ever: int
    month: int
    spent: int
    budget: int | None
    budget_left: int | None
    quotas_left: Mapping[str, int | None]


async def balance(dynamodb: DynamoDB, stage: str, tenant: str, now: int) -> Balance:
    """The tenant's balance at `now` (epoch microseconds), strongly consistent.

    Where a wallet has shards, one that borrows at this moment may be counted before or after it did.
    Raises ApiError 404, Unavailable.
    """
    plan = (await get_tenant(dynamodb, stage, tenant))["plan"]
    ids = [wallet_id(tenant, shard) for shard in range(limits(plan).wallet_shards)]
    wallets = await read_wallets(dynamodb, stage, ids)
    if not wallets or wallets[0]["id"] != tenant:
        raise ApiError(404, "not_found", "No such tenant.")
    return total(wallets, month_of(now))


async def newest_entries(
    dynamodb: DynamoDB, stage: str, tenant: str, *, limit: int, before: str = "", calls_only: bool = False
) -> list[Item]:
    """At most `limit` entries of the tenant, newest first, eventually consistent.

    `before` is the entry after which the last page ended. `calls_only` leaves out all but billed and sandbox calls.
    Raises ValueError for a limit outside 1 to 1000, Unavailable.
    """
    if not 1 <= limit <= MOST_ENTRIES:
        raise ValueError(f"the limit is 1 to {MOST_ENTRIES}")
    request = _entries_request(stage, tenant, before)
    request["Limit"] = limit
    if calls_only:
        request["FilterExpression"] = "attribute_exists(#usage)"
        request["ExpressionAttributeNames"] |= {"#usage": "usage"}
    entries: list[Item] = []
    async with aclosing(items(dynamodb, "Query", request)) as found:
        async for entry in found:
            entries.append(entry)
            if len(entries) == limit:
                break
    return entries


def _entries_request(stage: str, tenant: str, before: str) -> dict[str, Any]:
    condition, values = "#tenant = :tenant", {":tenant": tenant}
    names = {"#tenant": LEDGER.partition_key}
    if before:
        condition, values = f"{condition} AND #entry < :before", values | {":before": before}
        names["#entry"] = "entry"
    return {
        "TableName": physical_name(stage, LEDGER),
        "KeyConditionExpression": condition,
        "ExpressionAttributeNames": names,
        "ExpressionAttributeValues": to_item(values),
        "ScanIndexForward": False,
    }


async def read_wallets(dynamodb: DynamoDB, stage: str, ids: Sequence[str]) -> list[Item]:
    """Those of at most 100 wallets that exist, in order, strongly consistent. Raises Unavailable."""
    table = physical_name(stage, WALLETS)
    keys = [to_item({"id": id}) for id in ids]
    request: dict[str, Any] = {"RequestItems": {table: {"Keys": keys, "ConsistentRead": True}}}
    answer = await dynamodb.call("BatchGetItem", request)
    if answer.get("UnprocessedKeys"):
        raise Unavailable("the wallets could not all be read", ambiguous=False)
    found = {item["id"]: item for item in map(from_item, answer["Responses"].get(table, []))}
    return [found[id] for id in ids if id in found]


def total(wallets: Sequence[Item], month: int) -> Balance:
    """One balance over a tenant's wallets, which are all, as of `month`, such as 202611.

    A month that no call has turned yet begins with nothing spent.
    """
    first = wallets[0]
    budgeted = first["bud"] < NO_BUDGET
    spent_before = sum(wallet["sp"] for wallet in wallets if wallet["mon"] < month)
    monthly = limits(first["plan"]).monthly_quotas
    counters = quotas(first["plan"]) if first["mon"] < month else first
    return Balance(
        tenant=first["id"],
        plan=first["plan"],
        status=first["st"],
        available=sum(wallet["av"] for wallet in wallets),
        held=sum(map(held, wallets)),
        granted=sum(wallet["gr"] for wallet in wallets),
        spent_ever=sum(map(spent, wallets)),
        month=max(month, *(wallet["mon"] for wallet in wallets)),
        spent=sum(wallet["sp"] for wallet in wallets) - spent_before,
        budget=sum(wallet["bud"] for wallet in wallets) if budgeted else None,
        budget_left=sum(wallet["bl"] for wallet in wallets) + spent_before if budgeted else None,
        quotas_left={
            service: counters[quota_name(service)] if monthly[service] < UNLIMITED else None for service in SERVICES
        },
    )
