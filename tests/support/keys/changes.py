"""Changes of keys, as the tests make them."""

from typing import Any

from callmissed.clock import Micros
from callmissed.keys.changes import PolicyChanges
from callmissed.keys.management import NewKey
from callmissed.keys.records import ApiKey
from tests.support.keys.key_store import NOVEMBER, KeyStore


async def changed(key_store: KeyStore, key: NewKey, now: int = NOVEMBER, **policy: Any) -> ApiKey:
    return await key_store.manager.change(
        key.record.tenant, key.record.key_id, now=Micros(now), policy=PolicyChanges(**policy)
    )


async def with_state(key_store: KeyStore, key: NewKey, *, is_active: bool) -> ApiKey:
    return await key_store.manager.change(key.record.tenant, key.record.key_id, now=NOVEMBER, is_active=is_active)


async def rotated(key_store: KeyStore, key: NewKey, overlap: int, now: int = NOVEMBER) -> NewKey:
    return await key_store.manager.rotate(
        key.record.tenant, key.record.key_id, overlap_minutes=overlap, now=Micros(now)
    )


async def left(key_store: KeyStore, *keys: NewKey) -> list[int]:
    return [(await key_store.hot(key.secret))["kb"] for key in keys]
