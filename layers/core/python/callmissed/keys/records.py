"""The key's record among its tenant's items.

The record never changes during calls. `hashes` are the ids of the hot items of its secrets, `newest` is the current
one's; every change of a key writes record, items and the index of domain locks together, on the condition that
`hashes` are as they were read. So a change can't miss a secret that another change made or moved at the same time.
"""

from callmissed.aws.attributes import Item
from callmissed.aws.comparisons import begins_with
from callmissed.aws.database import Database
from callmissed.clock import iso
from callmissed.errors import ApiError
from callmissed.keys.policy import NEVER, KeyPolicy
from callmissed.ledger.wallet import NO_BUDGET
from callmissed.platform.tables import TENANTS

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


async def read_record(database: Database, tenant: str, key_id: str) -> Item:
    """The key's record, strongly consistent. Raises ApiError 404, Unavailable."""
    record = await database.get(TENANTS, {"tenant": tenant, "item": _PREFIX + key_id})
    if not record:
        raise ApiError(404, "not_found", "No such key.")
    return record


async def read_records(database: Database, tenant: str) -> list[Item]:
    """Records of the tenant's keys, revoked ones included, oldest first. Raises Unavailable."""
    records = [record async for record in database.query(TENANTS, tenant, sort=begins_with(_PREFIX))]
    return sorted(records, key=lambda record: (record["created_at"], record["id"]))
