"""The keys of a tenant, as its owner and admins manage them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from callmissed.audit.events import Actor
from callmissed.aws.database import Database
from callmissed.clock import Micros
from callmissed.errors import ApiError
from callmissed.idempotency.operation import Operation
from callmissed.keys.changes import KeyChanges
from callmissed.keys.management import KeyManager, NewKey
from callmissed.keys.records import ApiKey
from callmissed.keys.secret import Mode
from callmissed.keys.state import KeyState, read_states
from functions.auth.api_keys.audit import key_audit
from functions.auth.api_keys.cursors import cursor_after, position_of
from functions.auth.api_keys.models import ModelNames
from functions.auth.api_keys.schemas import ChangedApiKey, NewApiKey


@dataclass(frozen=True, slots=True)
class KeyRequest:
    """Who asks for a change of a tenant's keys, when, and as which operation."""

    tenant: str
    actor: Actor
    operation: Operation
    now: Micros


@dataclass(frozen=True, slots=True)
class KeyPage:
    """Keys with their states, oldest first; `cursor` is None on the last page."""

    keys: Sequence[tuple[ApiKey, KeyState]]
    cursor: str | None


class ApiKeys:
    """The keys of one stage. Every method raises Unavailable when DynamoDB does not answer."""

    def __init__(self, database: Database, manager: KeyManager, models: ModelNames) -> None:
        self._database = database
        self._manager = manager
        self._models = models

    async def page(self, tenant: str, limit: int, cursor: str, now: Micros) -> KeyPage:
        """At most `limit` keys of the tenant behind `cursor` with their states, oldest first.

        Raises ApiError 422 for an invalid cursor. The query reads the records of all keys: ids don't sort by time.
        """
        behind = position_of(cursor) if cursor else ""
        shown = [key for key in await self._manager.keys_of(tenant) if key.is_shown(now) and _position(key) > behind]
        keys = shown[:limit]
        states = await read_states(self._database, keys, now)
        next_cursor = cursor_after(_position(keys[-1])) if len(shown) > limit else None
        return KeyPage([(key, states[key.key_id]) for key in keys], next_cursor)

    async def get(self, tenant: str, key_id: str, now: Micros) -> tuple[ApiKey, KeyState]:
        """The key with its state. Raises ApiError 404."""
        return await self._with_state(await self._manager.get(tenant, key_id), now)

    async def create(self, asked: KeyRequest, new: NewApiKey) -> tuple[NewKey, KeyState]:
        """A new key. Raises ApiError 400, 403, and 409 as `KeyManager.create`."""
        policy = replace(new.policy, models=await self._models.resolved(new.policy.models))
        created = await self._manager.create(
            asked.tenant,
            name=new.name,
            mode=Mode(new.mode),
            policy=policy,
            now=asked.now,
            audit=key_audit("key.create", asked.actor, asked.now),
            key_id=asked.operation.new_id("key"),
            operation=asked.operation.id,
        )
        return created, (await self._with_state(created.record, asked.now))[1]

    async def change(self, asked: KeyRequest, key_id: str, changes: ChangedApiKey) -> tuple[ApiKey, KeyState]:
        """Change what `changes` name. Raises ApiError 400, 404, 409."""
        policy = changes.policy
        if "models" in policy:
            policy["models"] = await self._models.resolved(policy["models"])
        named = KeyChanges(policy=policy)
        if "name" in changes.model_fields_set:
            named["name"] = changes.name
        if "is_active" in changes.model_fields_set:
            named["is_active"] = changes.is_active
        audit = key_audit("key.update", asked.actor, asked.now)
        key = await self._manager.change(asked.tenant, key_id, now=asked.now, audit=audit, **named)
        return await self._with_state(key, asked.now)

    async def rotate(self, asked: KeyRequest, key_id: str, overlap_minutes: int) -> tuple[NewKey, KeyState]:
        """A new secret for the key. Raises ApiError 404, 409."""
        rotated = await self._manager.rotate(
            asked.tenant,
            key_id,
            overlap_minutes=overlap_minutes,
            now=asked.now,
            audit=key_audit("key.rotate", asked.actor, asked.now, overlap_minutes=overlap_minutes),
            operation=asked.operation.id,
        )
        return rotated, (await self._with_state(rotated.record, asked.now))[1]

    async def revoke(self, tenant: str, key_id: str, actor: Actor, now: Micros) -> None:
        """End the key for good. Raises ApiError 404, 409."""
        await self._manager.revoke(tenant, key_id, now=now, audit=key_audit("key.revoke", actor, now))

    async def refuse_to_reveal(self, tenant: str, key_id: str) -> None:
        """Raises ApiError 410, 404 for a key that the tenant does not have."""
        key = await self._manager.get(tenant, key_id)
        message = (
            f"A secret is shown once and can't be revealed. POST /api/v1/keys/{key.key_id}/rotate gives a new one."
        )
        raise ApiError(410, "gone", message)

    async def _with_state(self, key: ApiKey, now: Micros) -> tuple[ApiKey, KeyState]:
        return key, (await read_states(self._database, [key], now))[key.key_id]


def _position(key: ApiKey) -> str:
    """Where the key is in a list, as a text that sorts like it."""
    return f"{key.created_at} {key.key_id}"
