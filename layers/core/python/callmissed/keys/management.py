"""Creating, listing, revoking and rotating keys.

A key has a record among its tenant's items and one hot item for each secret that is alive (callmissed.keys.records).
Every change writes both and the index of domain locks in one transaction; a change that lost to another one, or to a
call, looks again and repeats itself where it still means the same.
"""

from dataclasses import dataclass

from callmissed.aws.attributes import Item
from callmissed.aws.database import Database
from callmissed.aws.dynamodb import TransactionCanceled
from callmissed.aws.operations import WriteOperation, delete_operation, put_new_operation, update_operation
from callmissed.clock import MINUTE
from callmissed.errors import ApiError, invalid_request
from callmissed.ids import new_id
from callmissed.keys import records
from callmissed.keys.policy import ANY, OPTIONAL, REVOKED, KeyPolicy, checked, key_item
from callmissed.keys.rotation import Handover, hand_over
from callmissed.keys.secret import Mode, key_hash, masked, new_secret
from callmissed.ledger.wallet import NO_BUDGET
from callmissed.platform.tables import KEYS, ORIGINS, TENANTS
from callmissed.tenancy.tenants import checked_name, get_tenant

MAX_OVERLAP_MINUTES = 24 * 60
MOST_SECRETS = 5
"""Earlier secrets of one key that may work beside the new one."""

_TRIES = 10
_HOT = frozenset({"id", "tat", "u"})
_HOT_BUDGET = frozenset({"kb", "km"})


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key's record with its secret, which is shown this once."""

    record: Item
    secret: str


class KeyManager:
    """Manages the keys of one stage. `pepper` is the current one, with which new secrets are hashed.

    Every method raises Unavailable when DynamoDB does not answer.
    """

    def __init__(self, database: Database, pepper: bytes) -> None:
        self._database = database
        self._pepper = pepper

    async def create(self, tenant: str, *, name: str, mode: Mode, policy: KeyPolicy, now: int) -> NewKey:
        """A new key. Raises ApiError 404 for an unknown tenant, 400 for a name or policy that can't be."""
        name, policy = checked_name(name), checked(policy, now)
        plan = (await get_tenant(self._database, tenant))["plan"]
        secret, key_id = new_secret(mode), new_id("key")
        hash = key_hash(self._pepper, secret)
        item = key_item(id=hash, key_id=key_id, tenant=tenant, plan=plan, mode=mode, policy=policy, now=now)
        record = records.key_record(item, name=name, mask=masked(secret), policy=policy, now=now)
        operations = [put_new_operation(TENANTS, record), put_new_operation(KEYS, item)]
        operations += [_lock_origin(pattern, key_id) for pattern in sorted(policy.domains - ANY)]
        await self._database.transact(operations)
        return NewKey(record, secret)

    async def get(self, tenant: str, key_id: str) -> Item:
        """The key's record. Raises ApiError 404."""
        return await records.read_record(self._database, tenant, key_id)

    async def keys_of(self, tenant: str) -> list[Item]:
        """Records of the tenant's keys, revoked ones included, oldest first."""
        return await records.read_records(self._database, tenant)

    async def revoke(self, tenant: str, key_id: str) -> Item:
        """End every secret of the key; the next call with one is refused. Safe to repeat. Raises ApiError 404, 409."""
        for _ in range(_TRIES):
            record = await self.get(tenant, key_id)
            if not record["is_active"]:
                return record
            try:
                await self._database.transact(_revocation(record))
            except TransactionCanceled:
                continue  # a secret was rotated or moved meanwhile: it must end too
            return record | {"is_active": False}
        raise _changed_meanwhile()

    async def rotate(self, tenant: str, key_id: str, *, overlap_minutes: int, now: int) -> NewKey:
        """A new secret for the key; earlier ones work at most `overlap_minutes` longer (0 to 1440).

        What is left of the key's monthly budget moves to the new secret, except that with an overlap the earlier ones
        keep half of theirs. Raises ApiError 400, 404, and 409 for a revoked or expired key and when another rotation
        came between.
        """
        if not 0 <= overlap_minutes <= MAX_OVERLAP_MINUTES:
            raise invalid_request(f"The overlap is 0 to {MAX_OVERLAP_MINUTES} minutes.", "overlap_minutes")
        record = await self.get(tenant, key_id)
        secret, mask = new_secret(Mode(record["mode"])), record["masked"]
        for _ in range(_TRIES):
            handover = await self._handover(record, secret, overlap_minutes * MINUTE, now)
            if handover and await self._carry_out(record, handover, secret):
                return NewKey(record | _new_record(handover, secret), secret)
            record = await self.get(tenant, key_id)
            if record["masked"] != mask:
                break  # it was another rotation that came between, not a call or a move to another pepper
        raise _changed_meanwhile()

    async def _handover(self, record: Item, secret: str, overlap: int, now: int) -> Handover | None:
        """Plan a rotation; None when the items are no longer those of the record."""
        if not record["is_active"]:
            raise ApiError(409, "conflict", "A revoked key can't be rotated.")
        found = [await self._database.get(KEYS, {"id": id}) for id in record["hashes"]]
        items = [item for item in found if item]
        newest = next((item for item in items if item["id"] == record["newest"]), None)
        if newest is None or len(items) < len(found):
            return None
        if newest["ex"] <= now:
            raise ApiError(409, "conflict", "An expired key can't be rotated.")
        if overlap and sum(item["ex"] > now for item in items) > MOST_SECRETS:
            raise ApiError(409, "conflict", f"{MOST_SECRETS} earlier secrets still work. Rotate without an overlap.")
        return hand_over(items, newest, key_hash(self._pepper, secret), overlap=overlap, now=now)

    async def _carry_out(self, record: Item, handover: Handover, secret: str) -> bool:
        """Rotate as planned; False when something came between."""
        try:
            await self._database.transact(_rotation(record, handover, secret))
        except TransactionCanceled:
            return False
        return True


def _rotation(record: Item, handover: Handover, secret: str) -> list[WriteOperation]:
    operations = [put_new_operation(KEYS, handover.fresh), _update_record(record, _new_record(handover, secret))]
    for item, change in handover.earlier:
        key, expected, missing = {"id": item["id"]}, _lasting(item), OPTIONAL - item.keys()
        operations.append(
            update_operation(KEYS, key, set=change, expected=expected, must_not_exist=missing)
            if change
            else delete_operation(KEYS, key, expected=expected, must_not_exist=missing)
        )
    return operations


def _revocation(record: Item) -> list[WriteOperation]:
    key_id = record["id"]
    operations = [
        update_operation(KEYS, {"id": hash}, set={"st": REVOKED}, expected={"kid": key_id})
        for hash in sorted(record["hashes"])
    ]
    operations += [_unlock_origin(pattern, key_id) for pattern in sorted(record["domains"] - ANY)]
    return [*operations, _update_record(record, {"is_active": False})]


def _update_record(record: Item, changes: Item) -> WriteOperation:
    key = {"tenant": record["tenant"], "item": record["item"]}
    expected = {"hashes": record["hashes"], "is_active": True}
    return update_operation(TENANTS, key, set=changes, expected=expected)


def _lock_origin(pattern: str, key_id: str) -> WriteOperation:
    return update_operation(ORIGINS, {"pattern": pattern}, add={"key_ids": frozenset({key_id})}, upsert=True)


def _unlock_origin(pattern: str, key_id: str) -> WriteOperation:
    return update_operation(ORIGINS, {"pattern": pattern}, discard={"key_ids": frozenset({key_id})}, upsert=True)


def _new_record(handover: Handover, secret: str) -> Item:
    lasting = {item["id"] for item, change in handover.earlier if change}
    hashes = frozenset({handover.fresh["id"], *lasting})
    return {"masked": masked(secret), "hashes": hashes, "newest": handover.fresh["id"]}


def _lasting(item: Item) -> Item:
    """What of the hot item must be as it was read: all that a rotation copies or shares out."""
    moving = _HOT if item["bud"] < NO_BUDGET else _HOT | _HOT_BUDGET
    return {name: value for name, value in item.items() if name not in moving}


def _changed_meanwhile() -> ApiError:
    return ApiError(409, "conflict", "The key changed at the same time. Please retry.")
