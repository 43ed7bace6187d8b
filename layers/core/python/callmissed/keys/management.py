"""Creating, listing, revoking and rotating keys.

A key has a record among its tenant's items, which never changes during calls, and one hot item for each secret that
is alive. Every change writes both and the index of domain locks in one transaction.
"""

from dataclasses import dataclass
from typing import Any

from callmissed.aws.attributes import Item, from_item, to_item
from callmissed.aws.dynamodb import DynamoDB, TransactionCanceled
from callmissed.clock import MINUTE, iso
from callmissed.errors import ApiError
from callmissed.ids import new_id
from callmissed.keys.domains import lockable
from callmissed.keys.policy import ANY, REVOKED, KeyPolicy, key_item
from callmissed.keys.secret import Mode, key_hash, masked, new_secret
from callmissed.platform.tables import KEYS, ORIGINS, TENANTS, Table, physical_name
from callmissed.tenancy.tenants import get_tenant

_PREFIX = "KEY#"
MAX_OVERLAP_MINUTES = 24 * 60


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key's record with its secret, which is shown this once."""

    record: Item
    secret: str


class KeyManager:
    """Manages the keys of one stage. `pepper` is the current one, with which new secrets are hashed."""

    def __init__(self, dynamodb: DynamoDB, stage: str, pepper: bytes) -> None:
        self._dynamodb = dynamodb
        self._stage = stage
        self._pepper = pepper

    async def create(self, tenant: str, *, name: str, mode: Mode, policy: KeyPolicy, now: int) -> NewKey:
        """A new key. Raises ApiError 404 for an unknown tenant, 400 for a domain lock that can't be one."""
        plan = (await get_tenant(self._dynamodb, self._stage, tenant))["plan"]
        domains = policy.domains if policy.domains == ANY else frozenset(map(lockable, policy.domains))
        secret, key_id = new_secret(mode), new_id("key")
        item = key_item(
            id=key_hash(self._pepper, secret),
            key_id=key_id,
            tenant=tenant,
            plan=plan,
            mode=mode,
            policy=policy,
            now=now,
        ) | {"dom": domains}
        record: Item = {
            "tenant": tenant,
            "item": _PREFIX + key_id,
            "id": key_id,
            "name": name,
            "mode": str(mode),
            "masked": masked(secret),
            "hashes": frozenset({item["id"]}),
            "domains": domains,
            "is_active": True,
            "created_at": iso(now),
        }
        parts = [self._put(TENANTS, record), self._put(KEYS, item)]
        parts += [self._lock_origin(pattern, key_id, "ADD") for pattern in sorted(domains - ANY)]
        await self._transact(parts)
        return NewKey(record, secret)

    async def get(self, tenant: str, key_id: str) -> Item:
        """The key's record. Raises ApiError 404."""
        request = {
            "TableName": physical_name(self._stage, TENANTS),
            "Key": to_item({"tenant": tenant, "item": _PREFIX + key_id}),
            "ConsistentRead": True,
        }
        answer = await self._dynamodb.call("GetItem", request)
        if "Item" not in answer:
            raise ApiError(404, "not_found", "No such key.")
        return from_item(answer["Item"])

    async def keys_of(self, tenant: str) -> list[Item]:
        """Records of the tenant's keys, revoked ones included, oldest first."""
        request: dict[str, Any] = {
            "TableName": physical_name(self._stage, TENANTS),
            "KeyConditionExpression": "tenant = :tenant AND begins_with(#item, :prefix)",
            "ExpressionAttributeNames": {"#item": "item"},
            "ExpressionAttributeValues": to_item({":tenant": tenant, ":prefix": _PREFIX}),
        }
        records: list[Item] = []
        while True:
            page = await self._dynamodb.call("Query", request)
            records += [from_item(item) for item in page["Items"]]
            if "LastEvaluatedKey" not in page:
                return sorted(records, key=lambda record: record["created_at"])
            request["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    async def revoke(self, tenant: str, key_id: str) -> Item:
        """End every secret of the key; the next call with one is refused. Safe to repeat. Raises ApiError 404."""
        record = await self.get(tenant, key_id)
        parts = [self._end(hash, "SET st = :v", REVOKED) for hash in sorted(record["hashes"])]
        parts += [self._lock_origin(pattern, key_id, "DELETE") for pattern in sorted(record["domains"] - ANY)]
        parts.append(self._update_record(record, "SET is_active = :false", {":false": False}))
        await self._transact(parts)
        return record | {"is_active": False}

    async def rotate(self, tenant: str, key_id: str, *, overlap_minutes: int, now: int) -> NewKey:
        """A new secret for the key; the old one works `overlap_minutes` longer (0 to 1440).

        What is left of the key's monthly budget moves to the new secret, except that with an overlap the old one
        keeps half of it. Raises ApiError 404, 409 for a revoked key or when a call came between.
        """
        if not 0 <= overlap_minutes <= MAX_OVERLAP_MINUTES:
            raise ApiError(400, "invalid_request_error", f"The overlap is 0 to {MAX_OVERLAP_MINUTES} minutes.")
        record = await self.get(tenant, key_id)
        if not record["is_active"]:
            raise ApiError(409, "conflict", "A revoked key can't be rotated.")
        old = await self._newest_item(record)
        secret = new_secret(Mode(record["mode"]))
        kept = old["kb"] // 2 if overlap_minutes else 0
        fresh = old | {"id": key_hash(self._pepper, secret), "kb": old["kb"] - kept, "tat": 0, "u": 0}
        expiry = min(old["ex"], now + overlap_minutes * MINUTE)
        hashes = frozenset({old["id"], fresh["id"]}) if overlap_minutes else frozenset({fresh["id"]})
        changes = {":masked": masked(secret), ":hashes": hashes, ":newest": fresh["id"]}
        parts = [
            self._put(KEYS, fresh),
            self._end(old["id"], "SET ex = :v, kb = :kept", expiry, {":kept": kept, ":seen": old["kb"]}, "kb = :seen"),
            self._update_record(record, "SET masked = :masked, hashes = :hashes, newest = :newest", changes),
        ]
        await self._transact(parts)
        return NewKey(record | {"masked": masked(secret), "hashes": hashes}, secret)

    async def _newest_item(self, record: Item) -> Item:
        hash = record.get("newest") or next(iter(record["hashes"]))
        request = {
            "TableName": physical_name(self._stage, KEYS),
            "Key": to_item({"id": hash}),
            "ConsistentRead": True,
        }
        return from_item((await self._dynamodb.call("GetItem", request))["Item"])

    async def _transact(self, parts: list[dict[str, Any]]) -> None:
        try:
            await self._dynamodb.call("TransactWriteItems", {"TransactItems": parts})
        except TransactionCanceled as cancelled:
            raise ApiError(409, "conflict", "The key changed at the same time. Please retry.") from cancelled

    def _put(self, table: Table, item: Item) -> dict[str, Any]:
        return {"Put": {"TableName": physical_name(self._stage, table), "Item": to_item(item)}}

    def _end(
        self, hash: str, update: str, value: Any, more: dict[str, Any] | None = None, condition: str = ""
    ) -> dict[str, Any]:
        exists = "attribute_exists(id)" + (f" AND {condition}" if condition else "")
        return self._update(KEYS, {"id": hash}, update, {":v": value, **(more or {})}, exists)

    def _update_record(self, record: Item, update: str, values: dict[str, Any]) -> dict[str, Any]:
        key = {"tenant": record["tenant"], "item": record["item"]}
        seen = {":seen": record["hashes"]}
        return self._update(TENANTS, key, update, values | seen, "hashes = :seen")

    def _lock_origin(self, pattern: str, key_id: str, verb: str) -> dict[str, Any]:
        values = {":key": frozenset({key_id})}
        return self._update(ORIGINS, {"pattern": pattern}, f"{verb} key_ids :key", values)

    def _update(
        self, table: Table, key: Item, update: str, values: dict[str, Any], condition: str | None = None
    ) -> dict[str, Any]:
        request: dict[str, Any] = {
            "TableName": physical_name(self._stage, table),
            "Key": to_item(key),
            "UpdateExpression": update,
            "ExpressionAttributeValues": to_item(values),
        }
        if condition:
            request["ConditionExpression"] = condition
        return {"Update": request}
