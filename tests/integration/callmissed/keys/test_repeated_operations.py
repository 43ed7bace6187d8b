"""Requests that run again because their process died: one key, and a secret that works."""

from functools import partial

import pytest

from callmissed.errors import ApiError
from callmissed.keys.management import NewKey
from callmissed.keys.policy import KeyPolicy
from callmissed.keys.secret import Mode
from tests.support.keys.key_store import NEW, NOVEMBER, OLD, KeyStore

RUN = "0123456789abcdef0123456789abcdef"
TRIES = 10


async def create(key_store: KeyStore, tenant: str, key_id: str) -> NewKey:
    return await key_store.manager.create(
        tenant,
        name="tests",
        mode=Mode.LIVE,
        policy=KeyPolicy(rpm=600),
        now=NOVEMBER,
        key_id=key_id,
        operation=RUN,
    )


async def rotate(key_store: KeyStore, key: NewKey, operation: str = RUN) -> NewKey:
    return await key_store.manager.rotate(
        key.record.tenant, key.record.key_id, overlap_minutes=60, now=NOVEMBER, operation=operation
    )


def key_id_of(tenant: str) -> str:
    return tenant.replace("tnt_", "key_")


async def test_creation_that_runs_again_gives_the_one_key_another_secret(key_store: KeyStore) -> None:
    tenant = await key_store.tenant()

    first, second, third = [await create(key_store, tenant, key_id_of(tenant)) for _ in range(3)]

    assert len({key.secret for key in (first, second, third)}) == 3
    assert [await key_store.refusal(key.secret) for key in (first, second)] == ["invalid_api_key"] * 2
    assert await key_store.refusal(third.secret) == "admitted"
    assert await key_store.manager.keys_of(tenant) == [third.record]
    assert third.record.masked.endswith(third.secret[-4:])


async def test_creation_that_runs_again_at_the_limit_is_no_second_key(
    key_store: KeyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("callmissed.keys.count.MAX_KEYS_OF_TENANT", 1)
    tenant = await key_store.tenant()
    await create(key_store, tenant, key_id_of(tenant))

    again = await create(key_store, tenant, key_id_of(tenant))

    assert await key_store.refusal(again.secret) == "admitted"


@pytest.mark.parametrize("meanwhile", ["rotated", "revoked"])
async def test_creation_that_runs_again_after_another_change_leaves_the_key_alone(
    key_store: KeyStore, meanwhile: str
) -> None:
    tenant = await key_store.tenant()
    first = await create(key_store, tenant, key_id_of(tenant))
    if meanwhile == "rotated":
        newest = await rotate(key_store, first, "another run")
    else:
        newest = first
        await key_store.manager.revoke(tenant, first.record.key_id)

    with pytest.raises(ApiError) as refused:
        await create(key_store, tenant, key_id_of(tenant))

    assert (refused.value.status, refused.value.code) == (409, "conflict")
    assert "Rotate the key" in refused.value.message
    (listed,) = await key_store.manager.keys_of(tenant)
    assert listed.masked.endswith(newest.secret[-4:])


async def test_rotation_that_runs_again_replaces_the_lost_secret_only(key_store: KeyStore) -> None:
    key = await key_store.key(budget=100)

    lost, found = await rotate(key_store, key), await rotate(key_store, key)

    assert await key_store.refusal(lost.secret) == "invalid_api_key"
    assert await key_store.refusal(key.secret, 50) == "admitted"
    assert await key_store.refusal(found.secret, 50) == "admitted"
    assert len(found.record.hashes) == 2


async def test_lost_secret_is_found_where_a_change_of_peppers_moved_it(key_store: KeyStore) -> None:
    tenant, interleaved = await key_store.tenant(), key_store.interleaved()
    lost = await create(key_store, tenant, key_id_of(tenant))
    interleaved.before(
        "GetItem",
        partial(key_store.call, lost.secret, 0, NOVEMBER, NEW, OLD),
        matching=lambda request: request["TableName"].endswith("-keys"),
    )

    found = await key_store.managed_by(interleaved).create(
        tenant,
        name="tests",
        mode=Mode.LIVE,
        policy=KeyPolicy(),
        now=NOVEMBER,
        key_id=key_id_of(tenant),
        operation=RUN,
    )

    assert interleaved.pending == 0
    assert await key_store.refusal(found.secret) == "admitted"
    assert await key_store.refusal(lost.secret, 0, NOVEMBER, NEW, OLD) == "invalid_api_key"


async def test_key_that_changes_each_time_is_a_conflict(key_store: KeyStore) -> None:
    key, interleaved = await key_store.key(), key_store.interleaved()
    lost = await rotate(key_store, key)
    interleaved.before("TransactWriteItems", *[partial(key_store.call, lost.secret)] * TRIES)

    with pytest.raises(ApiError) as refused:
        await key_store.managed_by(interleaved).rotate(
            key.record.tenant, key.record.key_id, overlap_minutes=60, now=NOVEMBER, operation=RUN
        )

    assert (refused.value.status, interleaved.pending) == (409, 0)
