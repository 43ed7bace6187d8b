"""Rotation: who works how long, who has which part of the budget, and what happens when two things happen at once."""

from functools import partial

import pytest

from callmissed.clock import MINUTE, Micros
from callmissed.errors import ApiError
from callmissed.keys.management import NewKey
from callmissed.keys.secret import Mode
from tests.integration.callmissed.keys.conftest import NOVEMBER, Vault

DAY = 24 * 60 * MINUTE
MONTHS_END = NOVEMBER + 15 * DAY


async def rotated(vault: Vault, key: NewKey, overlap_minutes: int = 0, now: int = NOVEMBER) -> NewKey:
    return await vault.manager.rotate(
        key.record.tenant, key.record.key_id, overlap_minutes=overlap_minutes, now=Micros(now)
    )


async def revoked(vault: Vault, key: NewKey) -> None:
    await vault.manager.revoke(key.record.tenant, key.record.key_id)


async def test_without_an_overlap_the_old_secret_ends_at_once(vault: Vault) -> None:
    key = await vault.key(mode=Mode.TEST, rpm=5, permissions=frozenset({"llm"}))

    new = await rotated(vault, key)

    assert new.record.key_id == key.record.key_id
    assert new.secret.startswith("cm_test_")
    assert await vault.refusal(key.secret) == "invalid_api_key"
    admitted = await vault.call(new.secret)
    assert (admitted.rate.limit, admitted.key.permissions, admitted.key.key_id) == (5, {"llm"}, key.record.key_id)
    (listed,) = await vault.manager.keys_of(key.record.tenant)
    assert listed.masked.endswith(new.secret[-4:])


async def test_with_an_overlap_both_work_until_it_ends(vault: Vault) -> None:
    key = await vault.key()

    new = await rotated(vault, key, 24 * 60)

    assert await vault.refusal(key.secret, now=NOVEMBER + DAY - 1) == "admitted"
    assert await vault.refusal(key.secret, now=NOVEMBER + DAY) == "invalid_api_key"
    assert await vault.refusal(new.secret, now=NOVEMBER + 40 * DAY) == "admitted"


async def test_an_overlap_does_not_outlive_the_keys_own_expiry(vault: Vault) -> None:
    key = await vault.key(expires=NOVEMBER + 10 * MINUTE)

    new = await rotated(vault, key, 60)

    for secret in (key.secret, new.secret):
        assert await vault.refusal(secret, now=NOVEMBER + 10 * MINUTE) == "invalid_api_key"


@pytest.mark.parametrize("minutes", [-1, 1441])
async def test_an_overlap_is_a_day_at_most(vault: Vault, minutes: int) -> None:
    key = await vault.key()

    with pytest.raises(ApiError) as refused:
        await rotated(vault, key, minutes)

    assert (refused.value.status, refused.value.param) == (400, "overlap_minutes")


async def test_without_an_overlap_the_whole_budget_moves(vault: Vault) -> None:
    key = await vault.key(budget=100)
    await vault.call(key.secret, 30)

    new = await rotated(vault, key)

    assert await vault.refusal(new.secret, 71) == "budget_exceeded"
    assert await vault.refusal(new.secret, 70) == "admitted"


async def test_with_an_overlap_the_old_secret_keeps_half_of_what_is_left(vault: Vault) -> None:
    key = await vault.key(budget=101)
    await vault.call(key.secret, 30)

    new = await rotated(vault, key, 60)

    assert ((await vault.hot(key.secret))["kb"], (await vault.hot(new.secret))["kb"]) == (35, 36)
    assert await vault.refusal(key.secret, 36) == "budget_exceeded"
    assert await vault.refusal(new.secret, 37) == "budget_exceeded"


async def test_the_next_rotation_collects_what_ended_secrets_left(vault: Vault) -> None:
    key = await vault.key(budget=100)
    second = await rotated(vault, key, 60)

    third = await rotated(vault, second, 0, NOVEMBER + 60 * MINUTE)

    assert (await vault.hot(third.secret))["kb"] == 100
    assert await vault.hot(key.secret) == {}


async def test_a_month_that_turns_during_an_overlap_gives_the_budget_once(vault: Vault) -> None:
    key = await vault.key(budget=100)
    new = await rotated(vault, key, 24 * 60, MONTHS_END - DAY // 2)
    december = MONTHS_END + MINUTE

    assert await vault.refusal(key.secret, 50, december) == "admitted"
    assert await vault.refusal(key.secret, 1, december + MINUTE) == "budget_exceeded"
    assert await vault.refusal(new.secret, 50, december) == "admitted"
    assert await vault.refusal(new.secret, 1, december + MINUTE) == "budget_exceeded"
    assert await vault.refusal(new.secret, 100, december + 31 * DAY) == "admitted"


async def test_a_budget_that_no_call_has_turned_yet_counts_as_the_new_months(vault: Vault) -> None:
    key = await vault.key(budget=100)
    await vault.call(key.secret, 90)

    new = await rotated(vault, key, 60, MONTHS_END + MINUTE)

    assert ((await vault.hot(key.secret))["kb"], (await vault.hot(new.secret))["kb"]) == (50, 50)


async def test_a_second_rotation_does_not_let_go_of_the_first_secret(vault: Vault) -> None:
    key = await vault.key()
    second = await rotated(vault, key, 24 * 60)
    third = await rotated(vault, second, 60)

    assert [await vault.refusal(k.secret) for k in (key, second, third)] == ["admitted"] * 3
    assert await vault.refusal(key.secret, now=NOVEMBER + 60 * MINUTE) == "invalid_api_key"
    await revoked(vault, key)
    assert [await vault.refusal(k.secret) for k in (key, second, third)] == ["invalid_api_key"] * 3


async def test_secrets_do_not_pile_up(vault: Vault) -> None:
    key = await vault.key()
    for _ in range(5):
        await rotated(vault, key, 60)

    with pytest.raises(ApiError) as refused:
        await rotated(vault, key, 60)
    assert refused.value.status == 409
    last = await rotated(vault, key, 0)

    assert await vault.refusal(last.secret) == "admitted"
    assert await vault.refusal(key.secret) == "invalid_api_key"
    assert len((await vault.manager.get(key.record.tenant, key.record.key_id)).hashes) == 1


async def test_revoking_during_an_overlap_ends_both(vault: Vault) -> None:
    key = await vault.key()
    new = await rotated(vault, key, 60)

    await revoked(vault, key)

    assert [await vault.refusal(k.secret) for k in (key, new)] == ["invalid_api_key"] * 2


@pytest.mark.parametrize("ended", ["revoked", "expired"])
async def test_an_ended_key_is_not_rotated(vault: Vault, ended: str) -> None:
    key = await vault.key(expires=NOVEMBER + MINUTE)
    if ended == "revoked":
        await revoked(vault, key)

    with pytest.raises(ApiError) as refused:
        await rotated(vault, key, 0, NOVEMBER + (MINUTE if ended == "expired" else 0))

    assert refused.value.status == 409
    assert ended in refused.value.message


@pytest.mark.parametrize("overlap", [0, 60])
async def test_of_two_rotations_at_once_one_wins_and_one_is_told(vault: Vault, overlap: int) -> None:
    key, interleaved = await vault.key(budget=100), vault.interleaved()
    winner: list[NewKey] = []

    async def win() -> None:
        winner.append(await rotated(vault, key, overlap))

    interleaved.before("TransactWriteItems", win)
    with pytest.raises(ApiError) as refused:
        await vault.managed_by(interleaved).rotate(
            key.record.tenant, key.record.key_id, overlap_minutes=overlap, now=NOVEMBER
        )

    assert (refused.value.status, refused.value.code) == (409, "conflict")
    assert await vault.refusal(winner[0].secret) == "admitted"
    record = await vault.manager.get(key.record.tenant, key.record.key_id)
    assert len(record.hashes) == (2 if overlap else 1)
    assert record.masked == winner[0].record.masked


@pytest.mark.parametrize("overlap", [0, 60])
async def test_a_revocation_during_a_rotation_ends_the_key(vault: Vault, overlap: int) -> None:
    key, interleaved = await vault.key(), vault.interleaved()
    interleaved.before("TransactWriteItems", partial(revoked, vault, key))

    with pytest.raises(ApiError) as refused:
        await vault.managed_by(interleaved).rotate(
            key.record.tenant, key.record.key_id, overlap_minutes=overlap, now=NOVEMBER
        )

    assert (refused.value.status, refused.value.message) == (409, "A revoked key can't be rotated.")
    record = await vault.manager.get(key.record.tenant, key.record.key_id)
    assert (record.is_active, len(record.hashes)) == (False, 1)
    assert await vault.refusal(key.secret) == "invalid_api_key"


@pytest.mark.parametrize("overlap", [0, 60])
async def test_a_rotation_during_a_revocation_does_not_save_the_key(vault: Vault, overlap: int) -> None:
    key, interleaved = await vault.key(), vault.interleaved()
    made: list[NewKey] = []

    async def rotate() -> None:
        made.append(await rotated(vault, key, overlap))

    interleaved.before("TransactWriteItems", rotate)
    await vault.managed_by(interleaved).revoke(key.record.tenant, key.record.key_id)

    assert [await vault.refusal(secret) for secret in (key.secret, made[0].secret)] == ["invalid_api_key"] * 2


@pytest.mark.parametrize("overlap", [0, 60])
async def test_a_call_during_a_rotation_is_neither_lost_nor_in_the_way(vault: Vault, overlap: int) -> None:
    key, interleaved = await vault.key(budget=100), vault.interleaved()
    interleaved.before("TransactWriteItems", partial(vault.call, key.secret, 10), partial(vault.call, key.secret, 20))

    new = await vault.managed_by(interleaved).rotate(
        key.record.tenant, key.record.key_id, overlap_minutes=overlap, now=NOVEMBER
    )

    left = [(await vault.hot(secret)).get("kb", 0) for secret in (key.secret, new.secret)]
    assert sum(left) == 70
    assert left[0] == (35 if overlap else 0)


async def test_calls_do_not_hinder_the_rotation_of_a_key_without_a_budget(vault: Vault) -> None:
    key, interleaved = await vault.key(), vault.interleaved()
    interleaved.before("TransactWriteItems", partial(vault.call, key.secret, 10))

    await vault.managed_by(interleaved).rotate(key.record.tenant, key.record.key_id, overlap_minutes=60, now=NOVEMBER)

    assert interleaved.sent["TransactWriteItems"] == 1
