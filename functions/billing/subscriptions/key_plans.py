"""Keys of a tenant whose plan changes: the rate of those without one of their own, and which models they may call.

A key can't slip through. Its creation requires the plan of the tenant's record, in its transaction, so after the change
of the record the keys that exist are all there are. A rotation copies the hot item on the condition that the key's
record is as it was read, as does the change here: one of the two fails, and reads again.
"""

from callmissed.aws.database import Database
from callmissed.aws.operations import WriteOperation
from callmissed.clock import Micros
from callmissed.errors import ApiError
from callmissed.keys.changes import on_plan
from callmissed.keys.records import change_operation, read_api_key, read_api_keys, read_key_items, update_api_key
from callmissed.plans.plans import Plan


async def changed_keys(database: Database, tenant: str) -> list[str]:
    """Ids of the tenant's keys that are not revoked, strongly consistent. Raises Unavailable."""
    return [key.key_id for key in await read_api_keys(database, tenant, consistent=True) if not key.is_revoked]


async def key_operations(
    database: Database, tenant: str, key_id: str, plan: Plan, now: Micros
) -> list[WriteOperation] | None:
    """Operations that put the key on the plan: none where it is, or is gone; None when its items are not the record's.

    Raises Unavailable.
    """
    try:
        key = await read_api_key(database, tenant, key_id)
    except ApiError:
        return []
    if key.is_revoked:
        return []
    items = await read_key_items(database, sorted(key.hashes))
    if len(items) != len(key.hashes):
        return None
    after, changed = on_plan(key, items, plan, now)
    moved = [
        change_operation(old, new, several=len(items) > 1)
        for old, new in zip(items, changed, strict=True)
        if old != new
    ]
    return [update_api_key(key, rpm=after.rpm), *moved] if moved or after != key else []
