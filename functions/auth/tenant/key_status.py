"""Keys of a tenant whose status changes.

Each secret's hot item gets the status, so that admission, which reads nothing else, refuses the next call. Revoked and
expired secrets keep theirs: an item says `active` after a reactivation only if it did before.

A key can't slip through. Its creation and its rotation require an active tenant in their transactions, so that after
the change of the tenant's record the keys that exist are all there are; and a change of a key's items fails once the
record's status is another one, so that the last change of the record wins, however many run at once.
"""

from callmissed.aws.database import Database
from callmissed.aws.dynamodb import TransactionCanceled
from callmissed.errors import ApiError
from callmissed.keys.records import (
    ACTIVE,
    ApiKey,
    KeyItem,
    read_api_key,
    read_api_keys,
    read_key_item,
    status_operation,
)
from callmissed.tenants.status import INACTIVE, TenantStatus
from callmissed.tenants.tenants import require_status

_TRIES = 10
_STATES = INACTIVE | {ACTIVE}


async def apply_status(database: Database, tenant: str, status: TenantStatus) -> int:
    """Give the secrets of all keys the tenant's new `status`, which its record has; returns how many were changed.

    One read for each secret and one transaction for each key. A key that is done costs reads only: after a crash
    or an error in the middle, a repeat changes the rest. Raises ApiError 409 when the record's status is another one,
    Unavailable.
    """
    changed = 0
    for key in await read_api_keys(database, tenant, consistent=True):
        if key.is_active:
            changed += await _apply(database, key, status)
    return changed


async def _apply(database: Database, key: ApiKey, status: TenantStatus) -> int:
    for _ in range(_TRIES):
        found = [await read_key_item(database, key_hash) for key_hash in sorted(key.hashes)]
        items = [item for item in found if item and _differs(item, status)]
        if not items and all(found):
            return 0
        changes = [status_operation(item, status) for item in items]
        try:
            await database.transact([require_status(key.tenant, status), *changes])
        except TransactionCanceled as canceled:
            if canceled.reasons[0] == "ConditionalCheckFailed":
                raise status_changed() from None
        else:
            if all(found):
                return len(items)
        key = await read_api_key(database, key.tenant, key.key_id)  # a secret was revoked, or moved to another id
    raise status_changed()


def _differs(item: KeyItem, status: TenantStatus) -> bool:
    return item.status in _STATES and item.status != status


def status_changed() -> ApiError:
    """409: the tenant's status changed while it was applied."""
    return ApiError(409, "conflict", "The account's status changed at the same time. Please retry.")
