"""Creating, listing, changing, revoking and rotating keys.

A key has a record among its tenant's items and one hot item for each live secret (callmissed.keys.records).
Every change writes both, the index of domain locks and the audit log in one transaction. A change that conflicts with
another one, or with a call, reads again and is retried where that is safe.

A secret is in one answer only. When the process dies before that answer is stored, the request runs again under the
same operation id: it finds its key, and gives it another secret in the place of the one that nobody has seen.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Unpack

from callmissed.aws.database import Database
from callmissed.aws.dynamodb import TransactionCanceled
from callmissed.aws.operations import WriteOperation
from callmissed.clock import MINUTE, Micros, system_clock
from callmissed.errors import ApiError, account_closed, invalid_request
from callmissed.ids import new_id
from callmissed.keys.changes import KeyChanges, changed_items, changed_key
from callmissed.keys.count import MAX_KEYS_OF_TENANT
from callmissed.keys.policy import KeyPolicy, check_expiry, checked, new_api_key, new_key_item
from callmissed.keys.records import (
    REVOKED,
    ApiKey,
    KeyItem,
    change_operation,
    change_operations,
    create_operations,
    move_operations,
    put_key_item,
    read_api_key,
    read_api_keys,
    read_key_item,
    read_key_items,
    revoke_operations,
    share_operation,
)
from callmissed.keys.rotation.secret_rotation import RotationPlan, plan_rotation
from callmissed.keys.secret import Mode, key_hash, masked, new_secret
from callmissed.keys.state import last_use
from callmissed.tenants.tenants import Tenant, checked_name, get_tenant, require_active

MAX_OVERLAP_MINUTES = 24 * 60
MAX_EARLIER_SECRETS = 5
"""Earlier secrets of one key that may work beside the new one."""

_TRIES = 10
_FAILED = "ConditionalCheckFailed"

Audit = Callable[[ApiKey | None, ApiKey], Sequence[WriteOperation]]
"""The operations that record a change of a key in the audit log, from its record before (None for a new key) and after.
"""


def _unaudited(_before: ApiKey | None, _after: ApiKey) -> Sequence[WriteOperation]:
    return ()


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key's record with its secret, which is shown only now."""

    record: ApiKey
    secret: str


class KeyManager:
    """Manages the keys of one stage. `pepper` is the current one, which hashes new secrets.

    Every method raises Unavailable when DynamoDB does not answer. `audit` is written in the transaction of the change.
    """

    def __init__(self, database: Database, pepper: bytes) -> None:
        self._database = database
        self._pepper = pepper

    async def create(
        self,
        tenant: str,
        *,
        name: str,
        mode: Mode,
        policy: KeyPolicy,
        now: Micros,
        audit: Audit = _unaudited,
        key_id: str = "",
        operation: str = "",
    ) -> NewKey:
        """A new key. With the `key_id` of an earlier run of the `operation`, its key with another secret.

        Raises ApiError 404 for an unknown tenant, 400 for an invalid name or policy, 403 at the limit of keys and for a
        tenant that is not active, 409 when the key of the earlier run has changed since.
        """
        check_expiry(policy.expires, now)
        name, policy = checked_name(name), checked(policy)
        secret, key_id = new_secret(mode), key_id or new_id("key")
        hashed = key_hash(self._pepper, secret)
        for _ in range(_TRIES):
            owner = await get_tenant(self._database, tenant, consistent=True)  # it may have been created just now
            item = new_key_item(
                key_hash=hashed, key_id=key_id, tenant=tenant, plan=owner.plan, mode=mode, policy=policy, now=now
            )
            record = new_api_key(item, name=name, masked=masked(secret), policy=policy, now=now, operation=operation)
            made = await self._created(item, record, owner, audit)
            if made is None:
                return await self._repeat(await self.get(tenant, key_id), operation, audit)
            if made:
                return NewKey(record, secret)
        raise _changed_meanwhile()

    async def _created(self, item: KeyItem, record: ApiKey, owner: Tenant, audit: Audit) -> bool | None:
        """Write a new key; False when its tenant's plan has changed, None when the key exists."""
        required = require_active(owner.tenant_id, owner.plan)
        try:
            await self._database.transact([*create_operations(item, record), *audit(None, record), required])
        except TransactionCanceled as canceled:
            if canceled.reasons[-1] == _FAILED:
                if not owner.is_active:
                    raise account_closed() from None
                return False
            if canceled.reasons[0] != _FAILED:
                raise _limit_reached() from None
            return None
        return True

    async def get(self, tenant: str, key_id: str) -> ApiKey:
        """The key's record. Raises ApiError 404."""
        return await read_api_key(self._database, tenant, key_id)

    async def keys_of(self, tenant: str) -> list[ApiKey]:
        """Records of the tenant's keys, revoked ones included, oldest first."""
        return await read_api_keys(self._database, tenant)

    async def change(
        self, tenant: str, key_id: str, *, now: Micros, audit: Audit = _unaudited, **changes: Unpack[KeyChanges]
    ) -> ApiKey:
        """Change what `changes` name, for all secrets of the key from their next call on.

        No charge of a concurrent call is lost. Raises ApiError 400, 403 for a tenant that is not active, 404, and 409
        for a revoked key and for one that keeps changing.
        """
        for _ in range(_TRIES):
            before = await self.get(tenant, key_id)
            items, newest = await self._items(before)
            if newest is None:
                continue
            after = changed_key(before, changes, newest.plan, now)
            if after == before:
                return before
            after = replace(after, revision=before.revision + 1)
            pairs = changed_items(before, after, items, newest, now)
            several = len(items) > 1
            moved = [change_operation(old, new, several=several) for old, new in pairs if old != new]
            changes_made = [*change_operations(before, after), *moved, *audit(before, after)]
            if await self._transacted_if_active(tenant, changes_made):
                return after
        raise _changed_meanwhile()

    async def revoke(self, tenant: str, key_id: str, *, now: Micros | None = None, audit: Audit = _unaudited) -> ApiKey:
        """End every secret of the key: the next call with one is refused. Safe to repeat. Raises ApiError 404, 409.

        Record and items go 30 days after `now`, by default the system's time.
        """
        moment = system_clock() if now is None else now
        for _ in range(_TRIES):
            record = await self.get(tenant, key_id)
            if record.is_revoked:
                return record
            items, _newest = await self._items(record)
            last_used_at = last_use(record, items)
            after = replace(record, status=REVOKED, last_used_at=last_used_at, revision=record.revision + 1)
            if await self._transacted([*revoke_operations(record, last_used_at, moment), *audit(record, after)]):
                return after
            # else a secret was rotated or moved at the same time: it must end too
        raise _changed_meanwhile()

    async def rotate(
        self,
        tenant: str,
        key_id: str,
        *,
        overlap_minutes: int,
        now: Micros,
        audit: Audit = _unaudited,
        operation: str = "",
    ) -> NewKey:
        """A new secret for the key; earlier ones work at most `overlap_minutes` longer (0 to 1440).

        The rest of the key's monthly budget moves to the new secret; with an overlap, the earlier secrets keep half
        of theirs. After an earlier run of the `operation`, only that run's secret is replaced. Raises ApiError 400,
        403, 404, and 409 for a revoked or expired key and for a concurrent rotation.
        """
        if not 0 <= overlap_minutes <= MAX_OVERLAP_MINUTES:
            raise invalid_request(f"The overlap is 0 to {MAX_OVERLAP_MINUTES} minutes.", "overlap_minutes")
        record = await self.get(tenant, key_id)
        if operation and record.operation == operation:
            return await self._repeat(record, operation, audit)
        secret, mask = new_secret(Mode(record.mode)), record.masked
        for _ in range(_TRIES):
            plan = await self._plan(record, secret, overlap_minutes * MINUTE, now)
            if plan:
                used = last_use(record, [before for before, _ in plan.earlier])
                after = replace(
                    record,
                    masked=masked(secret),
                    hashes=plan.hashes,
                    newest=plan.fresh.key_hash,
                    operation=operation,
                    last_used_at=used,
                    revision=record.revision + 1,
                )
                shared = [share_operation(earlier, later) for earlier, later in plan.earlier]
                changes = [put_key_item(plan.fresh), *change_operations(record, after), *shared]
                if await self._transacted_if_active(tenant, [*changes, *audit(record, after)]):
                    return NewKey(after, secret)
            record = await self.get(tenant, key_id)
            if record.masked != mask:
                break  # the concurrent change was a rotation, not a call or a move to another pepper
        raise _changed_meanwhile()

    async def _plan(self, record: ApiKey, secret: str, overlap: int, now: Micros) -> RotationPlan | None:
        """Plan a rotation; None when the items are no longer those of the record."""
        if record.is_revoked:
            raise ApiError(409, "conflict", "A revoked key can't be rotated.")
        items, newest = await self._items(record)
        if newest is None:
            return None
        if newest.is_closed(now):
            raise account_closed(newest.status)
        if newest.expires <= now:
            raise ApiError(409, "conflict", "An expired key can't be rotated.")
        if overlap and sum(item.expires > now for item in items) > MAX_EARLIER_SECRETS:
            raise ApiError(
                409, "conflict", f"{MAX_EARLIER_SECRETS} earlier secrets still work. Rotate without an overlap."
            )
        return plan_rotation(items, newest, key_hash(self._pepper, secret), overlap=overlap, now=now)

    async def _repeat(self, record: ApiKey, operation: str, audit: Audit) -> NewKey:
        """The key of an earlier run of `operation`, with another secret in the place of the one that nobody has seen.

        Raises ApiError 409 when the key has been rotated or revoked since.
        """
        secret = new_secret(Mode(record.mode))
        hashed, mask = key_hash(self._pepper, secret), masked(secret)
        for _ in range(_TRIES):
            if record.operation != operation or record.is_revoked:
                raise _secret_is_lost(record.key_id)
            lost = await read_key_item(self._database, record.newest)
            if lost:
                hashes = (record.hashes - {record.newest}) | {hashed}
                after = replace(record, masked=mask, hashes=hashes, newest=hashed, revision=record.revision + 1)
                if await self._transacted([*move_operations(lost, record, hashed, masked=mask), *audit(record, after)]):
                    return NewKey(after, secret)
            record = await self.get(record.tenant, record.key_id)
        raise _changed_meanwhile()

    async def _items(self, record: ApiKey) -> tuple[list[KeyItem], KeyItem | None]:
        """Hot items of the key's secrets, and the newest one: None when they are no longer those of the record."""
        items = await read_key_items(self._database, sorted(record.hashes))
        newest = next((item for item in items if item.key_hash == record.newest), None)
        return items, newest if len(items) == len(record.hashes) else None

    async def _transacted_if_active(self, tenant: str, operations: Sequence[WriteOperation]) -> bool:
        """Execute the operations in an active tenant; False after a concurrent change. Raises ApiError 403."""
        try:
            await self._database.transact([*operations, require_active(tenant)])
        except TransactionCanceled as canceled:
            if canceled.reasons[-1] == _FAILED:
                raise account_closed() from None
            return False
        return True

    async def _transacted(self, operations: Sequence[WriteOperation]) -> bool:
        """Execute the operations; False after a concurrent change."""
        try:
            await self._database.transact(operations)
        except TransactionCanceled:
            return False
        return True


def _changed_meanwhile() -> ApiError:
    return ApiError(409, "conflict", "The key changed at the same time. Please retry.")


def _limit_reached() -> ApiError:
    return ApiError(403, "limit_reached", f"A tenant has at most {MAX_KEYS_OF_TENANT} keys. Revoke one first.")


def _secret_is_lost(key_id: str) -> ApiError:
    message = (
        f"An earlier run of this request made the secret of {key_id}, which was lost. Rotate the key for a new one."
    )
    return ApiError(409, "conflict", message)
