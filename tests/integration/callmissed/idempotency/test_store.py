"""The records: who gets the lock, who may complete, what a key's second sight is answered with."""

import asyncio
from typing import Any

import pytest

from callmissed.aws.attributes import from_item
from callmissed.aws.database import Database
from callmissed.aws.dynamodb import DynamoDB, Unavailable
from callmissed.clock import Micros
from callmissed.errors import ApiError
from callmissed.idempotency.requests import KeyedRequest, keyed_request
from callmissed.idempotency.store import RETENTION_SECONDS, IdempotencyStore, Replay, Run
from callmissed.platform.tables import IDEMPOTENCY, physical_name
from local.aws.tables import StageTables
from tests.support.idempotency import ManualClock, MemoryAnswers

LOCK = 45
FIRST = keyed_request("tnt_a", "live", "some-key", "f" * 64)
OTHER = keyed_request("tnt_a", "live", "some-key", "0" * 64)


async def begun(records: IdempotencyStore, now: int, request: KeyedRequest = FIRST) -> Run:
    run = await records.begin(request, Micros(now), LOCK, "call")
    assert isinstance(run, Run)
    return run


async def refused(records: IdempotencyStore, now: int, code: str, request: KeyedRequest = FIRST) -> ApiError:
    with pytest.raises(ApiError) as refusal:
        await records.begin(request, Micros(now), LOCK)
    assert (refusal.value.status, refusal.value.code) == (409, code)
    return refusal.value


async def items(dynamodb: DynamoDB, tables: StageTables) -> list[dict[str, Any]]:
    request = {"TableName": physical_name(tables.stage, IDEMPOTENCY), "ConsistentRead": True}
    return [from_item(item) for item in (await dynamodb.call("Scan", request))["Items"]]


@pytest.mark.parametrize("body", [b"", b"{}", bytes(range(256)) * 400, b"x" * 500_000], ids=len)
async def test_an_answer_comes_back_as_it_was(
    records: IdempotencyStore, clock: ManualClock, stored_answers: MemoryAnswers, body: bytes
) -> None:
    run = await begun(records, clock.now)

    await records.complete(run, 201, "application/x", body)

    assert await records.begin(FIRST, Micros(clock.now), LOCK) == Replay(201, "application/x", body, "call")
    assert list(stored_answers.stored) == ([run.answer_name] if len(body) > 102_400 else [])
    await refused(records, clock.now, "idempotency_conflict", OTHER)


async def test_a_second_run_waits_for_the_first(records: IdempotencyStore, clock: ManualClock) -> None:
    await begun(records, clock.now)

    assert (await refused(records, clock.now, "idempotency_in_progress")).headers == {"Retry-After": "5"}
    await refused(records, clock.now, "idempotency_conflict", OTHER)
    clock.advance(LOCK - 1)
    assert (await refused(records, clock.now, "idempotency_in_progress")).headers == {"Retry-After": "1"}


async def test_of_many_at_once_one_runs(records: IdempotencyStore, clock: ManualClock) -> None:
    outcomes = await asyncio.gather(
        *(records.begin(FIRST, Micros(clock.now), LOCK) for _ in range(20)), return_exceptions=True
    )

    runs = [outcome for outcome in outcomes if isinstance(outcome, Run)]
    refusals = [outcome.code for outcome in outcomes if isinstance(outcome, ApiError)]
    assert (len(runs), refusals) == (1, ["idempotency_in_progress"] * 19)


async def test_a_dead_runs_lock_is_taken_over_with_its_operation(records: IdempotencyStore, clock: ManualClock) -> None:
    dead = await begun(records, clock.now)
    clock.advance(LOCK)
    await refused(records, clock.now, "idempotency_conflict", OTHER)

    heir = await begun(records, clock.now)

    assert (heir.operation, heir.owner != dead.owner) == (dead.operation, True)


async def test_a_run_that_lost_its_lock_neither_completes_nor_releases(
    records: IdempotencyStore, clock: ManualClock
) -> None:
    ghost = await begun(records, clock.now)
    clock.advance(LOCK)
    heir = await begun(records, clock.now)

    with pytest.raises(ApiError) as lost:
        await records.complete(ghost, 200, "", b"ghost")
    await records.release(ghost)

    assert lost.value.code == "idempotency_in_progress"
    await refused(records, clock.now, "idempotency_in_progress")
    await records.complete(heir, 200, "", b"heir")
    with pytest.raises(ApiError):
        await records.complete(ghost, 200, "", b"ghost")
    replay = await records.begin(FIRST, Micros(clock.now), LOCK)
    assert isinstance(replay, Replay)
    assert replay.body == b"heir"


async def test_completing_twice_is_completing_once(records: IdempotencyStore, clock: ManualClock) -> None:
    run = await begun(records, clock.now)

    for _ in range(2):
        await records.complete(run, 200, "", b"once")
    await records.release(run)

    assert isinstance(await records.begin(FIRST, Micros(clock.now), LOCK), Replay)


async def test_a_released_key_runs_again_as_the_same_operation(records: IdempotencyStore, clock: ManualClock) -> None:
    first = await begun(records, clock.now)
    await records.release(first)

    other = await begun(records, clock.now, OTHER)
    assert other.operation != first.operation
    await records.release(other)

    assert (await begun(records, clock.now)).operation == first.operation


async def test_after_24_hours_the_key_is_new_though_its_record_is_there(
    records: IdempotencyStore, clock: ManualClock, dynamodb: DynamoDB, tables: StageTables
) -> None:
    first = await begun(records, clock.now)
    await records.complete(first, 200, "", b"old")
    clock.advance(RETENTION_SECONDS - 1)
    assert isinstance(await records.begin(FIRST, Micros(clock.now), LOCK), Replay)
    clock.advance(1)

    second = await begun(records, clock.now, OTHER)

    assert second.operation != first.operation
    (item,) = await items(dynamodb, tables)
    assert (item["fp"], item["st"], "b" in item) == (OTHER.fingerprint, "r", False)


async def test_the_retention_counts_from_the_first_begin(
    records: IdempotencyStore, clock: ManualClock, dynamodb: DynamoDB, tables: StageTables
) -> None:
    await begun(records, clock.now)
    (before,) = await items(dynamodb, tables)
    clock.advance(3600)
    await begun(records, clock.now)

    (after,) = await items(dynamodb, tables)

    assert (after["ttl"], after["op"]) == (before["ttl"], before["op"])


async def test_a_lock_that_is_held_outlasts_the_retention(records: IdempotencyStore, clock: ManualClock) -> None:
    await records.release(await begun(records, clock.now))
    clock.advance(RETENTION_SECONDS - 1)
    run = await begun(records, clock.now)
    clock.advance(2)

    await refused(records, clock.now, "idempotency_in_progress")
    await records.complete(run, 200, "", b"")


async def test_the_table_does_not_keep_the_key(
    records: IdempotencyStore, clock: ManualClock, dynamodb: DynamoDB, tables: StageTables
) -> None:
    await records.complete(await begun(records, clock.now), 200, "", b"")

    assert "some-key" not in str(await items(dynamodb, tables))


async def test_without_the_bucket_a_long_answer_is_not_kept(
    records: IdempotencyStore, clock: ManualClock, stored_answers: MemoryAnswers
) -> None:
    run = await begun(records, clock.now)
    stored_answers.unavailable = True

    with pytest.raises(ApiError) as refusal:
        await records.complete(run, 200, "", b"x" * 200_000)

    assert refusal.value.status == 503
    await records.release(run)
    assert (await begun(records, clock.now)).operation == run.operation


async def test_an_answer_that_the_bucket_does_not_give_is_503_for_now(
    records: IdempotencyStore, clock: ManualClock, stored_answers: MemoryAnswers
) -> None:
    await records.complete(await begun(records, clock.now), 200, "", b"x" * 200_000)
    stored_answers.unavailable = True

    with pytest.raises(ApiError) as refusal:
        await records.begin(FIRST, Micros(clock.now), LOCK)

    assert refusal.value.status == 503
    stored_answers.unavailable = False
    assert isinstance(await records.begin(FIRST, Micros(clock.now), LOCK), Replay)


async def test_without_the_table_nothing_is_begun(clock: ManualClock, stored_answers: MemoryAnswers) -> None:
    dynamodb = DynamoDB("us-east-1", "http://127.0.0.1:9", attempts=1)
    try:
        with pytest.raises(ApiError) as refusal:
            await IdempotencyStore(Database(dynamodb, "test"), stored_answers).begin(FIRST, Micros(clock.now), LOCK)
    finally:
        await dynamodb.close()

    assert (refusal.value.status, refusal.value.code) == (503, "service_unavailable")


class LossyDynamoDB(DynamoDB):
    """Loses the next `lost` answers."""

    lost = 0

    async def send(self, operation: str, payload: bytes) -> dict[str, Any]:
        answer = await super().send(operation, payload)
        if self.lost:
            self.lost -= 1
            raise Unavailable("lost", indeterminate=True)
        return answer


async def test_a_lock_of_which_nothing_was_heard_locks_nobody_out(
    tables: StageTables, clock: ManualClock, stored_answers: MemoryAnswers
) -> None:
    dynamodb = LossyDynamoDB("us-east-1", tables.endpoint, attempts=4, timeout_seconds=20)
    records = IdempotencyStore(Database(dynamodb, tables.stage), stored_answers)
    dynamodb.lost = 4
    try:
        with pytest.raises(ApiError) as refusal:
            await records.begin(FIRST, Micros(clock.now), LOCK)
        run = await begun(records, clock.now)
    finally:
        await dynamodb.close()

    assert (refusal.value.status, run.record) == (503, FIRST.record)
