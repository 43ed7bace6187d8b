"""At most 200 keys of a tenant are not revoked, however many are made at once."""

import asyncio

import pytest

from callmissed.aws.database import Database
from callmissed.aws.dynamodb import Unavailable
from callmissed.errors import ApiError
from callmissed.keys.count import MAX_KEYS_OF_TENANT
from callmissed.platform.tables import TENANTS
from tests.support.keys.key_store import NOVEMBER, KeyStore


async def set_count(key_store: KeyStore, tenant: str, count: int) -> None:
    """As if the tenant had so many keys."""
    database = Database(key_store.dynamodb, key_store.store.stage)
    await database.put(TENANTS, {"tenant": tenant, "item": "KEYS", "count": count})


async def made(key_store: KeyStore, tenant: str) -> str:
    try:
        await key_store.key(tenant)
    except ApiError as refused:
        return refused.code
    except Unavailable:
        return "unavailable"  # conflicts with others, whose own conditions decide
    return "made"


async def test_tenant_at_the_limit_gets_no_key_until_one_is_revoked(key_store: KeyStore) -> None:
    tenant = await key_store.tenant()
    key = await key_store.key(tenant)
    await set_count(key_store, tenant, MAX_KEYS_OF_TENANT)

    with pytest.raises(ApiError) as refused:
        await key_store.key(tenant)
    await key_store.manager.change(tenant, key.record.key_id, now=NOVEMBER, is_active=False)
    while_paused = await made(key_store, tenant)
    for _ in range(2):
        await key_store.manager.revoke(tenant, key.record.key_id)

    assert (refused.value.status, refused.value.code) == (403, "limit_reached")
    assert while_paused == "limit_reached"
    assert [await made(key_store, tenant) for _ in range(2)] == ["made", "limit_reached"]


async def test_keys_made_at_once_do_not_exceed_the_limit(key_store: KeyStore) -> None:
    tenant = await key_store.tenant()
    await set_count(key_store, tenant, MAX_KEYS_OF_TENANT - 3)

    outcomes = await asyncio.gather(*(made(key_store, tenant) for _ in range(8)))

    assert outcomes.count("made") <= 3
    assert len(await key_store.manager.keys_of(tenant)) == outcomes.count("made")
    while (last := await made(key_store, tenant)) == "made":
        continue
    assert last == "limit_reached"
    assert len(await key_store.manager.keys_of(tenant)) == 3
