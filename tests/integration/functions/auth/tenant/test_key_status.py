"""The tenant's status in the items of its keys, while keys move, are revoked and expire."""

from functools import partial
from typing import Any

import pytest

from callmissed.aws.database import Database
from callmissed.clock import MINUTE
from callmissed.errors import ApiError
from callmissed.keys.management import NewKey
from callmissed.keys.secret import key_hash
from callmissed.platform.tables import KEYS, TENANTS
from callmissed.tenants.status import TenantStatus
from callmissed.tenants.tenants import tenant_key
from functions.auth.tenant.key_status import apply_status
from tests.support.keys.key_store import NEW, NOVEMBER, OLD, KeyStore

SUSPENDED = TenantStatus.SUSPENDED


def database_of(key_store: KeyStore) -> Database:
    return Database(key_store.dynamodb, key_store.store.stage)


async def in_tenant_with(key_store: KeyStore, status: TenantStatus, **policy: Any) -> NewKey:
    """A key whose tenant has just got the status, which the key's item lacks."""
    key = await key_store.key(**policy)
    record = tenant_key(key.record.tenant)
    await database_of(key_store).update_if(TENANTS, record, set={"status": str(status)})
    return key


async def move(key_store: KeyStore, key: NewKey) -> None:
    await key_store.call(key.secret, 0, NOVEMBER, NEW, OLD)


async def test_key_that_moves_meanwhile_is_stopped_where_it_went(key_store: KeyStore) -> None:
    key, interleaved = await in_tenant_with(key_store, SUSPENDED), key_store.interleaved()
    interleaved.before("TransactWriteItems", partial(move, key_store, key))

    await apply_status(Database(interleaved, key_store.store.stage), key.record.tenant, SUSPENDED)

    assert interleaved.pending == 0
    assert (await key_store.hot(key.secret, NEW))["st"] == "suspended"
    assert await key_store.refusal(key.secret, 0, NOVEMBER, NEW, OLD) == "account_inactive"


async def test_key_that_moves_before_its_item_is_read_is_stopped_too(key_store: KeyStore) -> None:
    key, interleaved = await in_tenant_with(key_store, SUSPENDED), key_store.interleaved()
    interleaved.before("GetItem", partial(move, key_store, key))

    await apply_status(Database(interleaved, key_store.store.stage), key.record.tenant, SUSPENDED)

    assert (await key_store.hot(key.secret, NEW))["st"] == "suspended"


async def test_key_that_is_revoked_meanwhile_stays_revoked(key_store: KeyStore) -> None:
    key, interleaved = await in_tenant_with(key_store, SUSPENDED), key_store.interleaved()
    revoke = partial(key_store.manager.revoke, key.record.tenant, key.record.key_id)
    interleaved.before("TransactWriteItems", revoke)

    assert await apply_status(Database(interleaved, key_store.store.stage), key.record.tenant, SUSPENDED) == 0

    assert (await key_store.hot(key.secret))["st"] == "revoked"


async def test_key_under_an_older_pepper_is_refused_as_its_tenant_is(key_store: KeyStore) -> None:
    key = await in_tenant_with(key_store, SUSPENDED, expires=NOVEMBER + MINUTE)
    await apply_status(database_of(key_store), key.record.tenant, SUSPENDED)

    assert await key_store.refusal(key.secret, 0, NOVEMBER, NEW, OLD) == "account_inactive"
    assert await key_store.refusal(key.secret, 0, NOVEMBER + MINUTE, NEW, OLD) == "invalid_api_key"
    assert await key_store.refusal(key.secret, 0, NOVEMBER + MINUTE) == "invalid_api_key"


async def test_key_that_keeps_changing_is_a_conflict(key_store: KeyStore) -> None:
    key, interleaved = await in_tenant_with(key_store, SUSPENDED), key_store.interleaved()
    database, key_id = database_of(key_store), {"id": key_hash(OLD, key.secret)}

    async def flip() -> None:
        status = (await database.get(KEYS, key_id))["st"]
        await database.update_if(KEYS, key_id, set={"st": "deactivated" if status == "active" else "active"})

    interleaved.before("TransactWriteItems", *[flip] * 10)
    with pytest.raises(ApiError) as refused:
        await apply_status(Database(interleaved, key_store.store.stage), key.record.tenant, SUSPENDED)

    assert (refused.value.status, interleaved.pending) == (409, 0)
