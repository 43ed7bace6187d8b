"""The key's record among its tenant's items, and the parts of transactions that change a key.

The record never changes during calls. `hashes` are the ids of the hot items of its secrets, `newest` is the current
one's; every change of a key writes record, items and the index of domain locks together, on the condition that
`hashes` are as they were read. So a change can't miss a secret that another change made or moved at the same time.
"""

from collections.abc import Collection
from typing import Any

from callmissed.aws.attributes import Item, to_item
from callmissed.aws.dynamodb import DynamoDB
from callmissed.aws.items import read_item
from callmissed.aws.paging import items
from callmissed.clock import iso
from callmissed.errors import ApiError
from callmissed.keys.policy import NEVER, KeyPolicy
from callmissed.ledger.wallet import NO_BUDGET
from callmissed.platform.tables import TENANTS, Table, physical_name

_PREFIX = "KEY#"


def key_record(item: Item, *, name: str, mask: str, policy: KeyPolicy, now: int) -> Item:
    """The record of a new key whose hot item is `item`: what lists show, and where its secrets are."""
    return {
        "tenant": item["t"],
        "item": _PREFIX + item["kid"],
        "id": item["kid"],
        "name": name,
        "mode": item["mode"],
        "masked": mask,
        "hashes": frozenset({item["id"]}),
        "newest": item["id"],
        "permissions": sorted(policy.permissions),
        "scopes": sorted(policy.scopes),
        "domains": policy.domains,
        "models": sorted(policy.models),
        "search_providers": sorted(policy.search_providers),
        "rpm": item["rpm"],
        "rpm_from_plan": policy.rpm is None,
        "budget": item["bud"] if item["bud"] < NO_BUDGET else None,
        "expires_at": iso(item["ex"]) if item["ex"] < NEVER else None,
        "is_active": True,
        "created_at": iso(now),
    }


async def read_record(dynamodb: DynamoDB, stage: str, tenant: str, key_id: str) -> Item:
    """The key's record, strongly consistent. Raises ApiError 404, Unavailable."""
    record = await read_item(dynamodb, stage, TENANTS, {"tenant": tenant, "item": _PREFIX + key_id})
    if not record:
        raise ApiError(404, "not_found", "No such key.")
    return record


async def read_records(dynamodb: DynamoDB, stage: str, tenant: str) -> list[Item]:
    """Records of the tenant's keys, revoked ones included, oldest first. Raises Unavailable."""
    request: dict[str, Any] = {
        "TableName": physical_name(stage, TENANTS),
        "KeyConditionExpression": "tenant = :tenant AND begins_with(#item, :prefix)",
        "ExpressionAttributeNames": {"#item": "item"},
        "ExpressionAttributeValues": to_item({":tenant": tenant, ":prefix": _PREFIX}),
    }
    records = [record async for record in items(dynamodb, "Query", request)]
    return sorted(records, key=lambda record: (record["created_at"], record["id"]))


def update(
    stage: str, table: Table, key: Item, changes: Item, seen: Item, absent: Collection[str] = ()
) -> dict[str, Any]:
    """The part that makes `changes` to an item whose `seen` attributes are as they were and `absent` ones still are."""
    request = _if_as_seen(stage, table, key, seen, absent)
    request["UpdateExpression"] = "SET " + ", ".join(f"#{name} = :new_{name}" for name in changes)
    request["ExpressionAttributeNames"] |= {f"#{name}": name for name in changes}
    request["ExpressionAttributeValues"] |= to_item({f":new_{name}": value for name, value in changes.items()})
    return {"Update": request}


def delete(stage: str, table: Table, key: Item, seen: Item, absent: Collection[str] = ()) -> dict[str, Any]:
    """The part that deletes an item whose attributes `seen` are as they were, and those `absent` still are."""
    return {"Delete": _if_as_seen(stage, table, key, seen, absent)}


def _if_as_seen(stage: str, table: Table, key: Item, seen: Item, absent: Collection[str]) -> dict[str, Any]:
    conditions = [f"#{name} = :{name}" for name in seen] + [f"attribute_not_exists(#{name})" for name in absent]
    return {
        "TableName": physical_name(stage, table),
        "Key": to_item(key),
        "ConditionExpression": " AND ".join(conditions),
        "ExpressionAttributeNames": {f"#{name}": name for name in (*seen, *absent)},
        "ExpressionAttributeValues": to_item({f":{name}": value for name, value in seen.items()}),
    }
