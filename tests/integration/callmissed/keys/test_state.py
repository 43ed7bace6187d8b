"""State of a key: its rate, its budget over all secrets, its last use. Nothing of it is written by reading."""

from typing import Any

from callmissed.aws.database import Database
from callmissed.clock import MINUTE, SECOND, Micros, iso
from callmissed.keys.management import NewKey
from callmissed.keys.state import KeyState, read_states
from callmissed.money import MicroCredits
from tests.support.keys.key_store import NEW, NOVEMBER, OLD, KeyStore

DAY = 24 * 60 * MINUTE
DECEMBER = NOVEMBER + 15 * DAY


async def state(key_store: KeyStore, key: NewKey, now: int = NOVEMBER, dynamodb: Any = None) -> KeyState:
    database = Database(dynamodb or key_store.dynamodb, key_store.store.stage)
    record = await key_store.manager.get(key.record.tenant, key.record.key_id)
    return (await read_states(database, [record], Micros(now)))[record.key_id]


async def rotated(key_store: KeyStore, key: NewKey, overlap: int, now: int = NOVEMBER) -> NewKey:
    return await key_store.manager.rotate(
        key.record.tenant, key.record.key_id, overlap_minutes=overlap, now=Micros(now)
    )


async def test_new_key_has_all_of_its_rate_and_budget(key_store: KeyStore) -> None:
    found = await state(key_store, await key_store.key(rpm=60, budget=100))

    assert (found.rate.rpm, found.rate.remaining, found.rate.reset) == (60, 10, 0)
    assert (found.month, found.used, found.left) == (202611, 0, 100)
    assert (found.secrets, found.last_used_at) == (1, None)


async def test_calls_are_seen_without_a_write_of_their_own(key_store: KeyStore) -> None:
    key, counted = await key_store.key(rpm=60, budget=100), key_store.interleaved()
    for second in (0, 0, 1):
        await key_store.call(key.secret, 10, NOVEMBER + second * SECOND)

    found = await state(key_store, key, NOVEMBER + SECOND, counted)

    assert (found.rate.remaining, found.rate.reset) == (8, 2 * SECOND)
    assert (found.used, found.left) == (30, 70)
    assert found.last_used_at == iso(Micros(NOVEMBER + SECOND))
    assert counted.sent == {"BatchGetItem": 1}


async def test_last_use_lags_less_than_a_minute_whatever_the_rate_becomes(key_store: KeyStore) -> None:
    for before, after in ((1, 60_000), (60_000, 1), (6, 6), (600, 60)):
        key = await key_store.key(rpm=before)
        await key_store.call(key.secret)
        await key_store.manager.change(
            key.record.tenant, key.record.key_id, now=Micros(NOVEMBER + 2 * MINUTE), policy={"rpm": after}
        )

        found = await state(key_store, key, NOVEMBER + 3 * MINUTE)

        assert found.last_used_at == iso(NOVEMBER)


async def test_last_use_outlives_the_secret_and_the_key(key_store: KeyStore) -> None:
    key = await key_store.key()
    await key_store.call(key.secret)

    newest = await rotated(key_store, key, 0, NOVEMBER + MINUTE)
    after_rotation = await state(key_store, key, NOVEMBER + MINUTE)
    await key_store.call(newest.secret, 0, NOVEMBER + 2 * MINUTE)
    await key_store.manager.revoke(key.record.tenant, key.record.key_id)
    after_revocation = await state(key_store, key, NOVEMBER + 3 * MINUTE)

    assert after_rotation.last_used_at == iso(NOVEMBER)
    assert after_revocation.last_used_at == iso(Micros(NOVEMBER + 2 * MINUTE))
    assert (after_revocation.secrets, after_revocation.used, after_revocation.left) == (0, None, None)


async def test_budget_counts_for_all_secrets_together(key_store: KeyStore) -> None:
    key = await key_store.key(budget=100)
    newest = await rotated(key_store, key, 60)
    await key_store.call(key.secret, 20)
    await key_store.call(newest.secret, 10)

    during = await state(key_store, key)
    after = await state(key_store, key, NOVEMBER + 61 * MINUTE)

    assert (during.secrets, during.used, during.left) == (2, 30, 70)
    assert (after.secrets, after.used, after.left) == (1, 30, 40)  # the rest comes back with the next rotation


async def test_budget_of_a_month_that_has_not_begun_for_the_key_is_whole(key_store: KeyStore) -> None:
    key = await key_store.key(budget=100)
    await key_store.call(key.secret, 60)

    found = await state(key_store, key, DECEMBER)

    assert (found.month, found.used, found.left) == (202612, 0, 100)


async def test_overdrawn_budget_has_nothing_left(key_store: KeyStore) -> None:
    key = await key_store.key(budget=100)
    await key_store.call(key.secret, 60)

    async def with_budget(budget: MicroCredits | None) -> KeyState:
        await key_store.manager.change(key.record.tenant, key.record.key_id, now=NOVEMBER, policy={"budget": budget})
        return await state(key_store, key)

    without, found = await with_budget(None), await with_budget(MicroCredits(40))

    assert (without.used, without.left) == (None, None)
    assert (found.used, found.left) == (60, 0)


async def test_key_whose_secret_moves_at_that_moment_has_a_state(key_store: KeyStore) -> None:
    key = await key_store.key(rpm=60, budget=100)
    record = await key_store.manager.get(key.record.tenant, key.record.key_id)
    await key_store.call(key.secret, 0, NOVEMBER, NEW, OLD)

    database = Database(key_store.dynamodb, key_store.store.stage)
    found = (await read_states(database, [record], NOVEMBER))[record.key_id]

    assert (found.rate.remaining, found.used, found.secrets) == (10, None, 0)
