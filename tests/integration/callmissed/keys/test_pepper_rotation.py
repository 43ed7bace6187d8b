"""Pepper rotation: keys move to the current pepper on use, and nothing that happens meanwhile gets lost."""

import asyncio
from functools import partial

import pytest

from callmissed.aws.database import Database
from callmissed.aws.dynamodb import Unavailable
from callmissed.clock import MINUTE, Micros
from callmissed.errors import ApiError
from callmissed.keys.admission import Admission
from callmissed.keys.management import NewKey
from callmissed.keys.records import ApiKey, to_key_item
from callmissed.keys.secret import Mode, key_hash, new_secret
from callmissed.money import MicroCredits
from tests.support.keys.key_store import NEW, NOVEMBER, OLD, KeyStore

NEWEST = b"newest pepper of some length"


async def moved(key_store: KeyStore, key: NewKey) -> None:
    """Let a process of its own move the key."""
    await key_store.call(key.secret, 0, NOVEMBER, NEW, OLD)


async def places(key_store: KeyStore, key: NewKey) -> list[bytes]:
    """Peppers under which the key has an item."""
    return [pepper for pepper in (OLD, NEW, NEWEST) if await key_store.hot(key.secret, pepper)]


async def record_of(key_store: KeyStore, key: NewKey) -> ApiKey:
    return await key_store.manager.get(key.record.tenant, key.record.key_id)


async def test_a_key_moves_on_its_first_call_with_all_that_it_is(key_store: KeyStore) -> None:
    key = await key_store.key(budget=100, scopes=frozenset({"bots:read"}), domains=frozenset({"move.example.com"}))
    before = await key_store.hot(key.secret)

    admitted = await key_store.call(key.secret, 30, NOVEMBER, NEW, OLD)

    hash = key_hash(NEW, key.secret)
    assert await places(key_store, key) == [NEW]
    after = await key_store.hot(key.secret, NEW)
    assert after == to_key_item(admitted.key)
    assert admitted.key.key_hash == hash
    assert after == before | {"id": hash, "kb": 70, "tat": after["tat"], "u": after["u"]}
    record = await record_of(key_store, key)
    assert (record.hashes, record.newest) == ({hash}, hash)
    assert await key_store.origin("move.example.com") == {key.record.key_id}
    assert await key_store.refusal(key.secret, 70, NOVEMBER, NEW) == "admitted"


async def test_a_moved_key_is_revoked_and_rotated_like_any_other(key_store: KeyStore) -> None:
    key = await key_store.key()
    await moved(key_store, key)

    new = await key_store.manager.rotate(key.record.tenant, key.record.key_id, overlap_minutes=60, now=NOVEMBER)
    assert await key_store.refusal(key.secret, 0, NOVEMBER, NEW, OLD) == "admitted"
    await key_store.manager.revoke(key.record.tenant, key.record.key_id)

    for secret in (key.secret, new.secret):
        assert await key_store.refusal(secret, 0, NOVEMBER, NEW, OLD) == "invalid_api_key"


async def test_both_secrets_of_an_overlap_move(key_store: KeyStore) -> None:
    key = await key_store.key()
    new = await key_store.manager.rotate(key.record.tenant, key.record.key_id, overlap_minutes=60, now=NOVEMBER)

    await moved(key_store, key)
    assert (await record_of(key_store, key)).newest == key_hash(OLD, new.secret)
    await moved(key_store, new)

    record = await record_of(key_store, key)
    assert record.hashes == {key_hash(NEW, key.secret), key_hash(NEW, new.secret)}
    assert record.newest == key_hash(NEW, new.secret)
    assert await key_store.refusal(key.secret, 0, NOVEMBER + 60 * MINUTE, NEW) == "invalid_api_key"


async def test_both_secrets_of_an_overlap_may_move_at_once(key_store: KeyStore) -> None:
    key, interleaved = await key_store.key(), key_store.interleaved()
    new = await key_store.manager.rotate(key.record.tenant, key.record.key_id, overlap_minutes=60, now=NOVEMBER)
    interleaved.before("TransactWriteItems", partial(moved, key_store, new))

    await key_store.ring(NEW, OLD, dynamodb=interleaved).admit(key.secret, MicroCredits(0), NOVEMBER)
    await key_store.manager.revoke(key.record.tenant, key.record.key_id)

    assert (await record_of(key_store, key)).hashes == {key_hash(NEW, key.secret), key_hash(NEW, new.secret)}
    for secret in (key.secret, new.secret):
        assert await key_store.refusal(secret, 0, NOVEMBER, NEW, OLD) == "invalid_api_key"


@pytest.mark.parametrize(("peppers", "reads"), [((NEW,), 0), ((NEW, OLD), 2), ((NEWEST, NEW, OLD), 3)])
async def test_an_unknown_key_costs_one_failed_write_and_a_read_for_each_pepper(
    key_store: KeyStore, peppers: tuple[bytes, ...], reads: int
) -> None:
    interleaved = key_store.interleaved()

    with pytest.raises(ApiError) as refused:
        await key_store.ring(*peppers, dynamodb=interleaved).admit(new_secret(Mode.LIVE), MicroCredits(0), NOVEMBER)

    assert refused.value.status == 401
    assert interleaved.sent == {"UpdateItem": 1} | ({"GetItem": reads} if reads else {})


async def test_a_moved_key_costs_no_more_than_with_one_pepper(key_store: KeyStore) -> None:
    key, interleaved = await key_store.key(), key_store.interleaved()
    await moved(key_store, key)

    await key_store.ring(NEW, OLD, dynamodb=interleaved).admit(key.secret, MicroCredits(0), Micros(NOVEMBER + MINUTE))

    assert interleaved.sent == {"UpdateItem": 1}


async def test_a_key_is_moved_once(key_store: KeyStore) -> None:
    key, interleaved = await key_store.key(), key_store.interleaved()
    process = key_store.ring(NEW, OLD, dynamodb=interleaved)

    for minute in range(3):
        await process.admit(key.secret, MicroCredits(0), Micros(NOVEMBER + minute * MINUTE))

    assert interleaved.sent["TransactWriteItems"] == 1
    assert interleaved.sent["UpdateItem"] == 4


async def test_a_limited_key_is_refused_without_a_write_wherever_it_is(key_store: KeyStore) -> None:
    key, interleaved = await key_store.key(rpm=6), key_store.interleaved()
    await key_store.call(key.secret)
    process = key_store.ring(NEW, OLD, dynamodb=interleaved)

    for reads in (1, 2, 3):
        with pytest.raises(ApiError) as refused:
            await process.admit(key.secret, MicroCredits(0), NOVEMBER)
        assert refused.value.code == "rate_limit_exceeded"
        assert interleaved.sent == {"UpdateItem": 2, "GetItem": reads}


async def test_the_rate_moves_with_the_key(key_store: KeyStore) -> None:
    key = await key_store.key(rpm=6)
    await key_store.call(key.secret, 0, NOVEMBER, NEW, OLD)

    assert await key_store.refusal(key.secret, 0, NOVEMBER, NEW) == "rate_limit_exceeded"
    assert await key_store.refusal(key.secret, 0, NOVEMBER + 10 * MINUTE // 60, NEW) == "admitted"


async def test_a_revocation_during_the_move_is_not_lost(key_store: KeyStore) -> None:
    key, interleaved = await key_store.key(), key_store.interleaved()
    interleaved.before("TransactWriteItems", partial(key_store.manager.revoke, key.record.tenant, key.record.key_id))

    await key_store.ring(NEW, OLD, dynamodb=interleaved).admit(key.secret, MicroCredits(0), NOVEMBER)

    assert await places(key_store, key) == [OLD]
    assert await key_store.refusal(key.secret, 0, NOVEMBER, NEW, OLD) == "invalid_api_key"
    assert not (await record_of(key_store, key)).is_active


async def test_a_move_during_a_revocation_does_not_save_the_key(key_store: KeyStore) -> None:
    key, interleaved = await key_store.key(), key_store.interleaved()
    interleaved.before("TransactWriteItems", partial(moved, key_store, key))

    await key_store.managed_by(interleaved).revoke(key.record.tenant, key.record.key_id)

    assert await places(key_store, key) == [NEW]
    assert await key_store.refusal(key.secret, 0, NOVEMBER, NEW, OLD) == "invalid_api_key"


@pytest.mark.parametrize("overlap", [0, 60])
async def test_a_rotation_during_the_move_keeps_the_budget_whole(key_store: KeyStore, overlap: int) -> None:
    key, interleaved = await key_store.key(budget=100), key_store.interleaved()
    made: list[NewKey] = []

    async def rotate() -> None:
        rotation = key_store.manager.rotate(key.record.tenant, key.record.key_id, overlap_minutes=overlap, now=NOVEMBER)
        made.append(await rotation)

    interleaved.before("TransactWriteItems", rotate)
    await key_store.ring(NEW, OLD, dynamodb=interleaved).admit(key.secret, MicroCredits(20), NOVEMBER)

    left = [
        (await key_store.hot(secret, pepper)).get("kb", 0)
        for secret in (key.secret, made[0].secret)
        for pepper in (OLD, NEW)
    ]
    assert sum(left) == 80
    assert await key_store.refusal(key.secret, 0, NOVEMBER, NEW, OLD) == ("admitted" if overlap else "invalid_api_key")
    assert await key_store.refusal(made[0].secret, 0, NOVEMBER, NEW, OLD) == "admitted"
    assert len((await record_of(key_store, key)).hashes) == (2 if overlap else 1)


async def test_a_move_during_a_rotation_is_followed(key_store: KeyStore) -> None:
    key, interleaved = await key_store.key(), key_store.interleaved()
    interleaved.before("TransactWriteItems", partial(moved, key_store, key))

    new = await key_store.managed_by(interleaved).rotate(
        key.record.tenant, key.record.key_id, overlap_minutes=0, now=NOVEMBER
    )

    assert await places(key_store, key) == []
    assert await key_store.refusal(new.secret, 0, NOVEMBER, NEW, OLD) == "admitted"


async def test_calls_during_the_move_are_charged_once(key_store: KeyStore) -> None:
    key, interleaved = await key_store.key(budget=100), key_store.interleaved()
    interleaved.before("TransactWriteItems", *[partial(key_store.call, key.secret, 10)] * 2)

    await key_store.ring(NEW, OLD, dynamodb=interleaved).admit(key.secret, MicroCredits(10), NOVEMBER)

    assert await places(key_store, key) == [NEW]
    assert (await key_store.hot(key.secret, NEW))["kb"] == 70


async def test_a_key_too_busy_to_move_works_on_and_moves_later(key_store: KeyStore) -> None:
    key, interleaved = await key_store.key(budget=100), key_store.interleaved()
    process = key_store.ring(NEW, OLD, dynamodb=interleaved)
    interleaved.before("TransactWriteItems", *[partial(key_store.call, key.secret, 1)] * 4)

    await process.admit(key.secret, MicroCredits(1), NOVEMBER)
    await process.admit(key.secret, MicroCredits(1), Micros(NOVEMBER + MINUTE - 1))
    assert (await places(key_store, key), interleaved.sent["TransactWriteItems"]) == ([OLD], 4)
    await process.admit(key.secret, MicroCredits(1), Micros(NOVEMBER + MINUTE))

    assert await places(key_store, key) == [NEW]
    assert (await key_store.hot(key.secret, NEW))["kb"] == 100 - 7


async def test_a_move_that_dynamodb_refuses_does_not_touch_the_call(key_store: KeyStore) -> None:
    key, interleaved = await key_store.key(), key_store.interleaved()

    async def fail() -> None:
        raise Unavailable("injected", indeterminate=False)

    interleaved.before("TransactWriteItems", *[fail] * 4)

    admitted = await key_store.ring(NEW, OLD, dynamodb=interleaved).admit(key.secret, MicroCredits(0), NOVEMBER)

    assert admitted.key.key_id == key.record.key_id
    assert await places(key_store, key) == [OLD]


async def test_a_key_that_moves_between_two_looks_is_not_missed(key_store: KeyStore) -> None:
    for operation in ("GetItem", "UpdateItem"):
        key, interleaved = await key_store.key(), key_store.interleaved()
        process = key_store.ring(NEW, OLD, dynamodb=interleaved)
        if operation == "UpdateItem":  # it is found under the old pepper, and moves before the call gets there
            interleaved.before(operation, partial(asyncio.sleep, 0), partial(moved, key_store, key))
        else:
            interleaved.before(operation, partial(moved, key_store, key))

        admitted = await process.admit(key.secret, MicroCredits(0), NOVEMBER)

        assert admitted.key.key_hash == key_hash(NEW, key.secret)


async def test_what_a_process_remembers_of_a_keys_place_may_be_outdated(key_store: KeyStore) -> None:
    key, interleaved = await key_store.key(), key_store.interleaved()
    process = key_store.ring(NEW, OLD, dynamodb=interleaved)
    interleaved.before("TransactWriteItems", *[partial(key_store.call, key.secret)] * 4)
    await process.admit(key.secret, MicroCredits(0), NOVEMBER)
    await moved(key_store, key)

    assert (await process.admit(key.secret, MicroCredits(0), NOVEMBER)).key.key_hash == key_hash(NEW, key.secret)
    await key_store.manager.revoke(key.record.tenant, key.record.key_id)
    with pytest.raises(ApiError) as refused:
        await process.admit(key.secret, MicroCredits(0), NOVEMBER)
    assert refused.value.status == 401


async def test_of_two_moves_at_once_one_wins_and_both_calls_pass(key_store: KeyStore) -> None:
    key, interleaved = await key_store.key(budget=100), key_store.interleaved()
    interleaved.before("TransactWriteItems", partial(key_store.call, key.secret, 10, NOVEMBER, NEW, OLD))

    admitted = await key_store.ring(NEW, OLD, dynamodb=interleaved).admit(key.secret, MicroCredits(30), NOVEMBER)

    assert await places(key_store, key) == [NEW]
    await Admission(Database(key_store.dynamodb, key_store.store.stage)).give_back(admitted, MicroCredits(25))
    assert (await key_store.hot(key.secret, NEW))["kb"] == 100 - 10 - 30 + 25


@pytest.mark.parametrize("peppers", [(NEW, OLD), (OLD, NEW)])
async def test_a_refund_follows_a_key_that_moved_during_the_call(
    key_store: KeyStore, peppers: tuple[bytes, ...]
) -> None:
    key, interleaved = await key_store.key(budget=100), key_store.interleaved()
    interleaved.before("TransactWriteItems", *[partial(key_store.call, key.secret)] * 4)
    admitted = await key_store.ring(*peppers, dynamodb=interleaved).admit(key.secret, MicroCredits(30), NOVEMBER)
    assert admitted.key.key_hash == key_hash(OLD, key.secret)
    await moved(key_store, key)

    await Admission(Database(key_store.dynamodb, key_store.store.stage)).give_back(admitted, MicroCredits(30))

    assert (await key_store.hot(key.secret, NEW))["kb"] == 100


async def test_a_refund_of_last_month_is_not_paid_into_this_one(key_store: KeyStore) -> None:
    key = await key_store.key(budget=100)
    admitted = await key_store.call(key.secret, 30, NOVEMBER, NEW, OLD)
    december = NOVEMBER + 20 * 24 * 60 * MINUTE
    current = await key_store.call(key.secret, 40, december, NEW, OLD)
    admission = Admission(Database(key_store.dynamodb, key_store.store.stage))

    await admission.give_back(admitted, MicroCredits(30))
    assert (await key_store.hot(key.secret, NEW))["kb"] == 60

    await admission.give_back(current, MicroCredits(25))
    assert (await key_store.hot(key.secret, NEW))["kb"] == 85


async def test_old_and_new_versions_side_by_side_never_refuse_nor_double(key_store: KeyStore) -> None:
    key = await key_store.key(budget=1000)
    processes = [key_store.ring(NEW, OLD), key_store.ring(OLD, NEW)]

    for turn in range(6):
        await processes[turn % 2].admit(key.secret, MicroCredits(100), Micros(NOVEMBER + turn * 2 * MINUTE))
        (place,) = await places(key_store, key)
        assert (await key_store.hot(key.secret, place))["kb"] == 1000 - 100 * (turn + 1)

    await processes[0].admit(key.secret, MicroCredits(0), Micros(NOVEMBER + 20 * MINUTE))
    assert await places(key_store, key) == [NEW]


async def test_many_calls_at_once_all_pass_and_leave_one_item(key_store: KeyStore) -> None:
    key = await key_store.key(budget=1000, rpm=60_000)
    processes = [key_store.ring(NEW, OLD, dynamodb=key_store.interleaved()) for _ in range(3)]
    processes.append(key_store.ring(OLD, NEW, dynamodb=key_store.interleaved()))

    calls = [process.admit(key.secret, MicroCredits(10), NOVEMBER) for process in processes for _ in range(12)]
    admitted = await asyncio.gather(*calls)

    (place,) = await places(key_store, key)
    assert (await key_store.hot(key.secret, place))["kb"] == 1000 - 480
    admission = Admission(Database(key_store.dynamodb, key_store.store.stage))
    await asyncio.gather(*(admission.give_back(call, MicroCredits(5)) for call in admitted))
    assert (await key_store.hot(key.secret, place))["kb"] == 1000 - 240
    assert len((await record_of(key_store, key)).hashes) == 1


async def test_no_call_passes_after_a_revocation_amid_many_returned(key_store: KeyStore) -> None:
    for _ in range(5):
        key = await key_store.key(rpm=60_000)
        processes = [key_store.ring(NEW, OLD, dynamodb=key_store.interleaved()) for _ in range(3)]
        calls = [process.admit(key.secret, MicroCredits(0), NOVEMBER) for process in processes for _ in range(6)]
        revocation = key_store.manager.revoke(key.record.tenant, key.record.key_id)

        outcomes = await asyncio.gather(*calls[:9], revocation, *calls[9:], return_exceptions=True)

        failures = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
        assert all(isinstance(failure, ApiError) and failure.status == 401 for failure in failures)
        assert len(await places(key_store, key)) == 1
        for process in processes:
            with pytest.raises(ApiError) as refused:
                await process.admit(key.secret, MicroCredits(0), NOVEMBER)
            assert refused.value.status == 401
