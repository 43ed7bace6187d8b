"""Creating, listing, revoking and rotating keys.

A key has a record among its tenant's items and one hot item for each live secret (callmissed.keys.records).
Every change writes both and the index of domain locks in one transaction. A change that conflicts with another one, or
with a call, reads again and is retried where that is safe.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from callmissed.aws.database import Database
from callmissed.aws.dynamodb import TransactionCanceled
from callmissed.aws.operations import WriteOperation
from callmissed.clock import MINUTE, Micros
from callmissed.errors import ApiError, account_closed, invalid_request
from callmissed.ids import new_id
from callmissed.keys.policy import KeyPolicy, checked, new_api_key, new_key_item
from callmissed.keys.records import (
    ApiKey,
    create_operations,
    put_key_item,
    read_api_key,
    read_api_keys,
    read_key_item,
    revoke_operations,
    share_operation,
    update_api_key,
)
from callmissed.keys.secret import Mode, key_hash, masked, new_secret
from callmissed.keys.secret_rotation import RotationPlan, plan_rotation
from callmissed.tenants.tenants import checked_name, get_tenant, require_active

MAX_OVERLAP_MINUTES = 24 * 60
MAX_EARLIER_SECRETS = 5
"""Earlier secrets of one key that may work beside the new one."""

_TRIES = 10

Audit = Callable[[ApiKey], Sequence[WriteOperation]]
"""The operations that record a change of a key in the audit log."""


def _unaudited(_key: ApiKey) -> Sequence[WriteOperation]:
    return ()


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key's record with its secret, which is shown only now."""

    record: ApiKey
    secret: str


class KeyManager:
    """Manages the keys of one stage. `pepper` is the current one, which hashes new secrets.

    Every method raises Unavailable when DynamoDB does not answer.
    """

    def __init__(self, database: Database, pepper: bytes) -> None:
        self._database = database
        self._pepper = pepper

    async def create(
        self, tenant: str, *, name: str, mode: Mode, policy: KeyPolicy, now: Micros, audit: Audit = _unaudited
    ) -> NewKey:
        """A new key, written with the operations of `audit`.

        Raises ApiError 404 for an unknown tenant, 403 for one that is not active, 400 for an invalid name or policy.
        """
        name, policy = checked_name(name), checked(policy, now)
        owner = await get_tenant(self._database, tenant, consistent=True)
        secret, key_id = new_secret(mode), new_id("key")
        hashed = key_hash(self._pepper, secret)
        item = new_key_item(
            key_hash=hashed, key_id=key_id, tenant=tenant, plan=owner.plan, mode=mode, policy=policy, now=now
        )
        record = new_api_key(item, name=name, masked=masked(secret), policy=policy, now=now)
        operations = [*create_operations(item, record), *audit(record), require_active(tenant)]
        try:
            await self._database.transact(operations)
        except TransactionCanceled:
            raise account_closed(owner.status) from None
        return NewKey(record, secret)

    async def get(self, tenant: str, key_id: str) -> ApiKey:
        """The key's record. Raises ApiError 404."""
        return await read_api_key(self._database, tenant, key_id)

    async def keys_of(self, tenant: str) -> list[ApiKey]:
        """Records of the tenant's keys, revoked ones included, oldest first."""
        return await read_api_keys(self._database, tenant)

    async def revoke(self, tenant: str, key_id: str) -> ApiKey:
        """End every secret of the key: the next call with one is refused. Safe to repeat. Raises ApiError 404, 409."""
        for _ in range(_TRIES):
            record = await self.get(tenant, key_id)
            if not record.is_active:
                return record
            try:
                await self._database.transact(revoke_operations(record))
            except TransactionCanceled:
                continue  # a secret was rotated or moved at the same time: it must end too
            return replace(record, is_active=False)
        raise _changed_meanwhile()

    async def rotate(self, tenant: str, key_id: str, *, overlap_minutes: int, now: Micros) -> NewKey:
        """A new secret for the key; earlier ones work at most `overlap_minutes` longer (0 to 1440).

        The rest of the key's monthly budget moves to the new secret; with an overlap, the earlier secrets keep half
        of theirs. Raises ApiError 400, 403, 404, and 409 for a revoked or expired key and for a concurrent rotation.
        """
        if not 0 <= overlap_minutes <= MAX_OVERLAP_MINUTES:
            raise invalid_request(f"The overlap is 0 to {MAX_OVERLAP_MINUTES} minutes.", "overlap_minutes")
        record = await self.get(tenant, key_id)
        secret, mask = new_secret(Mode(record.mode)), record.masked
        for _ in range(_TRIES):
            plan = await self._plan(record, secret, overlap_minutes * MINUTE, now)
            if plan and await self._carry_out(record, plan, masked(secret)):
                fresh = plan.fresh.key_hash
                return NewKey(replace(record, masked=masked(secret), hashes=plan.hashes, newest=fresh), secret)
            record = await self.get(tenant, key_id)
            if record.masked != mask:
                break  # the concurrent change was a rotation, not a call or a move to another pepper
        raise _changed_meanwhile()

    async def _plan(self, record: ApiKey, secret: str, overlap: int, now: Micros) -> RotationPlan | None:
        """Plan a rotation; None when the items are no longer those of the record."""
        if not record.is_active:
            raise ApiError(409, "conflict", "A revoked key can't be rotated.")
        found = [await read_key_item(self._database, each) for each in record.hashes]
        items = [item for item in found if item]
        newest = next((item for item in items if item.key_hash == record.newest), None)
        if newest is None or len(items) < len(found):
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

    async def _carry_out(self, record: ApiKey, plan: RotationPlan, mask: str) -> bool:
        """Rotate as planned; False after a concurrent change. Raises ApiError 403."""
        changed = update_api_key(record, masked=mask, hashes=plan.hashes, newest=plan.fresh.key_hash)
        shared = [share_operation(before, after) for before, after in plan.earlier]
        try:
            await self._database.transact([put_key_item(plan.fresh), changed, *shared, require_active(record.tenant)])
        except TransactionCanceled as canceled:
            if canceled.reasons[-1] == "ConditionalCheckFailed":
                raise account_closed() from None
            return False
        return True


def _changed_meanwhile() -> ApiError:
    return ApiError(409, "conflict", "The key changed at the same time. Please retry.")
