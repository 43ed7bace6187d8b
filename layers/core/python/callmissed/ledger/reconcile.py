"""The reconciliation: do wallets say the same as their entries? It alarms and changes nothing.

Calls go on meanwhile. So the wallets are read before and after the entries, and a wallet has drifted only when its
entries fit neither: everything spent before must have an entry, and every entry whose hold is gone must be spent after.
"""

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from typing import Any

from callmissed.aws.attributes import Item, from_item, to_item
from callmissed.aws.dynamodb import DynamoDB
from callmissed.clock import MINUTE
from callmissed.ids import new_call_id
from callmissed.ledger.entries import Account, EntryType
from callmissed.ledger.shards import owner
from callmissed.ledger.sweep import wallets
from callmissed.ledger.wallet import spent
from callmissed.platform.tables import LEDGER, TENANTS, WALLETS, physical_name

_MARK = "RECONCILED"
_SETTLED_AFTER = 60 * MINUTE
"""Entries of calls that began longer ago are final: holds live a third of that."""


@dataclass(frozen=True, slots=True)
class Drift:
    """A tenant whose wallet and entries disagree; micro-credits by the wallet after and by the entries."""

    tenant: str
    spent: int
    charged: int
    granted: int
    credited: int


@dataclass(slots=True)
class ReconcileReport:
    """What one night found: tenants compared, those that drifted."""

    tenants: int = 0
    drifts: list[Drift] = field(default_factory=list[Drift])


@dataclass(slots=True)
class _Sums:
    """Entries so far: charged and credited micro-credits; `pending` are charges by call that may be in flight."""

    charged: int
    credited: int
    pending: dict[str, int]


async def reconcile(dynamodb: DynamoDB, stage: str, now: int) -> ReconcileReport:
    """Compare every tenant of `stage` at `now` (epoch microseconds). Raises Unavailable.

    Entries that are final are summed once and remembered with the tenant, so a night reads the day's entries.
    """
    report = ReconcileReport()
    async for tenant, ids in _tenants(dynamodb, stage):
        report.tenants += 1
        drift = await _compare(dynamodb, stage, tenant, ids, now)
        if drift is not None:
            report.drifts.append(drift)
    return report


async def _tenants(dynamodb: DynamoDB, stage: str) -> AsyncIterator[tuple[str, list[str]]]:
    """Each tenant with the ids of its wallets."""
    ids: dict[str, list[str]] = {}
    async for wallet in wallets(dynamodb, stage):
        ids.setdefault(owner(wallet["id"])[0], []).append(wallet["id"])
    for tenant, owned in ids.items():
        yield tenant, owned


async def _compare(dynamodb: DynamoDB, stage: str, tenant: str, ids: list[str], now: int) -> Drift | None:
    before = await _read(dynamodb, stage, ids)
    mark = await _mark(dynamodb, stage, tenant)
    final, fresh = await _sum(dynamodb, stage, tenant, mark, now)
    after = await _read(dynamodb, stage, ids)
    held = {call_id for wallet in after for call_id in wallet["h"]}
    charged = final["charged"] + fresh.charged
    applied = charged - sum(amount for call_id, amount in fresh.pending.items() if call_id in held)
    credited = final["credited"] + fresh.credited
    spent_after, granted_after = sum(map(spent, after)), _granted(after)
    agrees = sum(map(spent, before)) <= charged and applied <= spent_after
    if agrees and _granted(before) <= credited <= granted_after:
        await dynamodb.call("PutItem", {"TableName": physical_name(stage, TENANTS), "Item": to_item(final)})
        return None
    return Drift(tenant, spent_after, charged, granted_after, credited)


async def _sum(dynamodb: DynamoDB, stage: str, tenant: str, mark: Item, now: int) -> tuple[Item, _Sums]:
    """Entries since the mark: the mark with what is final by now added to it, and the sums of the rest."""
    cut = new_call_id(now - _SETTLED_AFTER, 1, 0)[:10]
    final, fresh = dict(mark), _Sums(0, 0, {})
    async for entry in _entries(dynamodb, stage, tenant, mark["upto"]):
        charged = entry["amount"] if entry["type"] == EntryType.DEDUCTION else 0
        credited = entry["amount"] if entry["credit"] == Account.AVAILABLE and entry["type"] != EntryType.VOID else 0
        if entry["entry"] < cut:
            final["charged"] += charged
            final["credited"] += credited
            final["upto"] = entry["entry"]
        else:
            fresh.charged += charged
            fresh.credited += credited
            fresh.pending[entry["entry"]] = charged
    return final, fresh


async def _entries(dynamodb: DynamoDB, stage: str, tenant: str, after: str) -> AsyncIterator[Item]:
    request: dict[str, Any] = {
        "TableName": physical_name(stage, LEDGER),
        "KeyConditionExpression": "tenant = :tenant AND #entry > :after",
        "ProjectionExpression": "#entry, #type, amount, credit",
        "ExpressionAttributeNames": {"#entry": "entry", "#type": "type"},
        "ExpressionAttributeValues": to_item({":tenant": tenant, ":after": after}),
        "ConsistentRead": True,
    }
    while True:
        page = await dynamodb.call("Query", request)
        for item in page["Items"]:
            yield from_item(item)
        if "LastEvaluatedKey" not in page:
            return
        request["ExclusiveStartKey"] = page["LastEvaluatedKey"]


async def _read(dynamodb: DynamoDB, stage: str, ids: list[str]) -> list[Item]:
    """The wallets as they are at one moment: shards lend to each other, so single reads could miss a loan."""
    table = physical_name(stage, WALLETS)
    parts = [{"Get": {"TableName": table, "Key": to_item({"id": id})}} for id in ids]
    answer = await dynamodb.call("TransactGetItems", {"TransactItems": parts})
    return [from_item(response["Item"]) for response in answer["Responses"]]


async def _mark(dynamodb: DynamoDB, stage: str, tenant: str) -> Item:
    key = {"tenant": tenant, "item": _MARK}
    request = {"TableName": physical_name(stage, TENANTS), "Key": to_item(key), "ConsistentRead": True}
    answer = await dynamodb.call("GetItem", request)
    none: Item = {**key, "upto": " ", "charged": 0, "credited": 0}
    return from_item(answer["Item"]) if "Item" in answer else none


def _granted(shards: Iterable[Item]) -> int:
    return sum(wallet["gr"] for wallet in shards)
