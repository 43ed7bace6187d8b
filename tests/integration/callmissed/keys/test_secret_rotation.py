"""Rotation: who works how long, who has which part of the budget, and what happens when two things happen at once."""

from functools import partial

import pytest

from callmissed.aws.database import Database
from callmissed.clock import MINUTE, Micros
from callmissed.errors import ApiError
from callmissed.keys.management import NewKey
from callmissed.keys.secret import Mode
from callmissed.platform.tables import TENANTS
from tests.support.keys.key_store import NOVEMBER, KeyStore

DAY = 24 * 60 * MINUTE
MONTHS_END = NOVEMBER + 15 * DAY


async def rotated(key_store: KeyStore, key: NewKey, overlap_minutes: int = 0, now: int = NOVEMBER) -> NewKey:
    return await key_store.manager.rotate(
        key.record.tenant, key.record.key_id, overlap_minutes=overlap_minutes, now=Micros(now)
    )


async def revoked(key_store: KeyStore, key: NewKey) -> None:
    await key_store.manager.revoke(key.record.tenant, key.record.key_id)


async def test_without_an_overlap_the_old_secret_ends_at_once(key_store: KeyStore) -> None:
    key = await key_store.key(mode=Mode.TEST, rpm=5, permissions=frozenset({"llm"}))

    new = await rotated(key_store, key)

    assert new.record.key_id == key.record.key_id
    assert new.secret.startswith("cm_test_")
    assert await key_store.refusal(key.secret) == "invalid_api_key"
    admitted = await key_store.call(new.secret)
    assert (admitted.rate.rpm, admitted.key.permissions, admitted.key.key_id) == (5, {"llm"}, key.record.key_id)
    (listed,) = await key_store.manager.keys_of(key.record.tenant)
    assert listed.masked.endswith(new.secret[-4:])


async def test_with_an_overlap_both_work_until_it_ends(key_store: KeyStore) -> None:
    key = await key_store.key()

    new = await rotated(key_store, key, 24 * 60)

    assert await key_store.refusal(key.secret, now=NOVEMBER + DAY - 1) == "admitted"
    assert await key_store.refusal(key.secret, now=NOVEMBER + DAY) == "invalid_api_key"
    assert await key_store.refusal(new.secret, now=NOVEMBER + 40 * DAY) == "admitted"


async def test_an_overlap_does_not_outlive_the_keys_own_expiry(key_store: KeyStore) -> None:
    key = await key_store.key(expires=NOVEMBER + 10 * MINUTE)

    new = await rotated(key_store, key, 60)

    for secret in (key.secret, new.secret):
        assert await key_store.refusal(secret, now=NOVEMBER + 10 * MINUTE) == "invalid_api_key"


@pytest.mark.parametrize("minutes", [-1, 1441])
async def test_an_overlap_is_a_day_at_most(key_store: KeyStore, minutes: int) -> None:
    key = await key_store.key()

    with pytest.raises(ApiError) as refused:
        await rotated(key_store, key, minutes)

    assert (refused.value.status, refused.value.param) == (400, "overlap_minutes")


async def test_without_an_overlap_the_whole_budget_moves(key_store: KeyStore) -> None:
    key = await key_store.key(budget=100)
    await key_store.call(key.secret, 30)

    new = await rotated(key_store, key)

    assert await key_store.refusal(new.secret, 71) == "budget_exceeded"
    assert await key_store.refusal(new.secret, 70) == "admitted"


async def test_with_an_overlap_the_old_secret_keeps_half_of_what_is_left(key_store: KeyStore) -> None:
    key = await key_store.key(budget=101)
    await key_store.call(key.secret, 30)

    new = await rotated(key_store, key, 60)

    assert ((await key_store.hot(key.secret))["kb"], (await key_store.hot(new.secret))["kb"]) == (35, 36)
    assert await key_store.refusal(key.secret, 36) == "budget_exceeded"
    assert await key_store.refusal(new.secret, 37) == "budget_exceeded"


async def test_the_next_rotation_collects_what_ended_secrets_left(key_store: KeyStore) -> None:
    key = await key_store.key(budget=100)
    second = await rotated(key_store, key, 60)

    third = await rotated(key_store, second, 0, NOVEMBER + 60 * MINUTE)

    assert (await key_store.hot(third.secret))["kb"] == 100
    assert await key_store.hot(key.secret) == {}


async def test_a_month_that_turns_during_an_overlap_gives_the_budget_once(key_store: KeyStore) -> None:
    key = await key_store.key(budget=100)
    new = await rotated(key_store, key, 24 * 60, MONTHS_END - DAY // 2)
    december = MONTHS_END + MINUTE

    assert await key_store.refusal(key.secret, 50, december) == "admitted"
    assert await key_store.refusal(key.secret, 1, december + MINUTE) == "budget_exceeded"
    assert await key_store.refusal(new.secret, 50, december) == "admitted"
    assert await key_store.refusal(new.secret, 1, december + MINUTE) == "budget_exceeded"
    assert await key_store.refusal(new.secret, 100, december + 31 * DAY) == "admitted"


async def test_a_budget_that_no_call_has_turned_yet_counts_as_the_new_months(key_store: KeyStore) -> None:
    key = await key_store.key(budget=100)
    await key_store.call(key.secret, 90)

    new = await rotated(key_store, key, 60, MONTHS_END + MINUTE)

    assert ((await key_store.hot(key.secret))["kb"], (await key_store.hot(new.secret))["kb"]) == (50, 50)


async def test_a_second_rotation_does_not_let_go_of_the_first_secret(key_store: KeyStore) -> None:
    key = await key_store.key()
    second = await rotated(key_store, key, 24 * 60)
    third = await rotated(key_store, second, 60)

    assert [await key_store.refusal(k.secret) for k in (key, second, third)] == ["admitted"] * 3
    assert await key_store.refusal(key.secret, now=NOVEMBER + 60 * MINUTE) == "invalid_api_key"
    await revoked(key_store, key)
    assert [await key_store.refusal(k.secret) for k in (key, second, third)] == ["invalid_api_key"] * 3


async def test_secrets_do_not_pile_up(key_store: KeyStore) -> None:
    key = await key_store.key()
    for _ in range(5):
        await rotated(key_store, key, 60)

    with pytest.raises(ApiError) as refused:
        await rotated(key_store, key, 60)
    assert refused.value.status == 409
    last = await rotated(key_store, key, 0)

    assert await key_store.refusal(last.secret) == "admitted"
    assert await key_store.refusal(key.secret) == "invalid_api_key"
    assert len((await key_store.manager.get(key.record.tenant, key.record.key_id)).hashes) == 1


async def test_revoking_during_an_overlap_ends_both(key_store: KeyStore) -> None:
    key = await key_store.key()
    new = await rotated(key_store, key, 60)

    await revoked(key_store, key)

    assert [await key_store.refusal(k.secret) for k in (key, new)] == ["invalid_api_key"] * 2


@pytest.mark.parametrize("ended", ["revoked", "expired"])
async def test_an_ended_key_is_not_rotated(key_store: KeyStore, ended: str) -> None:
    key = await key_store.key(expires=NOVEMBER + MINUTE)
    if ended == "revoked":
        await revoked(key_store, key)

    with pytest.raises(ApiError) as refused:
        await rotated(key_store, key, 0, NOVEMBER + (MINUTE if ended == "expired" else 0))

    assert refused.value.status == 409
    assert ended in refused.value.message


@pytest.mark.parametrize("overlap", [0, 60])
async def test_of_two_rotations_at_once_one_wins_and_one_gets_409(key_store: KeyStore, overlap: int) -> None:
    key, interleaved = await key_store.key(budget=100), key_store.interleaved()
    winner: list[NewKey] = []

    async def win() -> None:
        winner.append(await rotated(key_store, key, overlap))

    interleaved.before("TransactWriteItems", win)
    with pytest.raises(ApiError) as refused:
        await key_store.managed_by(interleaved).rotate(
            key.record.tenant, key.record.key_id, overlap_minutes=overlap, now=NOVEMBER
        )

    assert (refused.value.status, refused.value.code) == (409, "conflict")
    assert await key_store.refusal(winner[0].secret) == "admitted"
    record = await key_store.manager.get(key.record.tenant, key.record.key_id)
    assert len(record.hashes) == (2 if overlap else 1)
    assert record.masked == winner[0].record.masked


@pytest.mark.parametrize("overlap", [0, 60])
async def test_a_revocation_during_a_rotation_ends_the_key(key_store: KeyStore, overlap: int) -> None:
    key, interleaved = await key_store.key(), key_store.interleaved()
    interleaved.before("TransactWriteItems", partial(revoked, key_store, key))

    with pytest.raises(ApiError) as refused:
        await key_store.managed_by(interleaved).rotate(
            key.record.tenant, key.record.key_id, overlap_minutes=overlap, now=NOVEMBER
        )

    assert (refused.value.status, refused.value.message) == (409, "A revoked key can't be rotated.")
    record = await key_store.manager.get(key.record.tenant, key.record.key_id)
    assert (record.is_active, len(record.hashes)) == (False, 1)
    assert await key_store.refusal(key.secret) == "invalid_api_key"


@pytest.mark.parametrize("overlap", [0, 60])
async def test_a_rotation_during_a_revocation_does_not_save_the_key(key_store: KeyStore, overlap: int) -> None:
    key, interleaved = await key_store.key(), key_store.interleaved()
    made: list[NewKey] = []

    async def rotate() -> None:
        made.append(await rotated(key_store, key, overlap))

    interleaved.before("TransactWriteItems", rotate)
    await key_store.managed_by(interleaved).revoke(key.record.tenant, key.record.key_id)

    assert [await key_store.refusal(secret) for secret in (key.secret, made[0].secret)] == ["invalid_api_key"] * 2


async def test_a_rotation_that_counts_no_revisions_does_not_save_the_key_from_its_revocation(
    key_store: KeyStore,
) -> None:
    key, interleaved = await key_store.key(), key_store.interleaved()
    made: list[NewKey] = []

    async def rotate() -> None:
        made.append(await rotated(key_store, key, 60))
        record = {"tenant": key.record.tenant, "item": f"KEY#{key.record.key_id}"}
        assert await Database(key_store.dynamodb, key_store.store.stage).update_if(
            TENANTS, record, remove=("revision",)
        )

    interleaved.before("TransactWriteItems", rotate)
    await key_store.managed_by(interleaved).revoke(key.record.tenant, key.record.key_id)

    assert [await key_store.refusal(secret) for secret in (key.secret, made[0].secret)] == ["invalid_api_key"] * 2


@pytest.mark.parametrize("overlap", [0, 60])
async def test_a_call_during_a_rotation_is_neither_lost_nor_in_the_way(key_store: KeyStore, overlap: int) -> None:
    key, interleaved = await key_store.key(budget=100), key_store.interleaved()
    interleaved.before(
        "TransactWriteItems", partial(key_store.call, key.secret, 10), partial(key_store.call, key.secret, 20)
    )

    new = await key_store.managed_by(interleaved).rotate(
        key.record.tenant, key.record.key_id, overlap_minutes=overlap, now=NOVEMBER
    )

    left = [(await key_store.hot(secret)).get("kb", 0) for secret in (key.secret, new.secret)]
    assert sum(left) == 70
    assert left[0] == (35 if overlap else 0)


async def test_calls_do_not_hinder_the_rotation_of_a_key_without_a_budget(key_store: KeyStore) -> None:
    key, interleaved = await key_store.key(), key_store.interleaved()
    interleaved.before("TransactWriteItems", partial(key_store.call, key.secret, 10))

    await key_store.managed_by(interleaved).rotate(
        key.record.tenant, key.record.key_id, overlap_minutes=60, now=NOVEMBER
    )

    assert interleaved.sent["TransactWriteItems"] == 1
