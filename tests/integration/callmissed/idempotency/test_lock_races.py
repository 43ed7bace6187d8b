"""A lock that has ended and that several runs want: one gets it, the others get an error, and tries are bounded."""

from collections.abc import AsyncIterator
from functools import partial

import pytest
import pytest_asyncio

from callmissed.aws.database import Database
from callmissed.clock import SECOND, Micros, system_clock
from callmissed.errors import ApiError
from callmissed.idempotency.requests import keyed_request
from callmissed.idempotency.store import IdempotencyStore, Run
from local.aws.tables import StageTables
from tests.support.faults import Fault, FaultyDynamoDB
from tests.support.idempotency import MemoryAnswers
from tests.support.interleaving import InterleavingDynamoDB

NOW = system_clock()
LATER = Micros(NOW + 60 * SECOND)
DAY = 25 * 3600 * SECOND
REQUEST = keyed_request("tnt_a", "live", "some-key", "f" * 64)


@pytest_asyncio.fixture
async def interleaved(tables: StageTables) -> AsyncIterator[InterleavingDynamoDB]:
    """The client of the run that comes too late."""
    dynamodb = InterleavingDynamoDB(tables.endpoint)
    yield dynamodb
    await dynamodb.close()


@pytest.fixture
def late_records(
    interleaved: InterleavingDynamoDB, tables: StageTables, stored_answers: MemoryAnswers
) -> IdempotencyStore:
    return IdempotencyStore(Database(interleaved, tables.stage), stored_answers)


async def begin(records: IdempotencyStore, now: int, lock_seconds: int = 10) -> Run:
    run = await records.begin(REQUEST, Micros(now), lock_seconds)
    assert isinstance(run, Run)
    return run


async def test_a_lock_that_another_run_took_over_first_is_in_progress(
    records: IdempotencyStore, late_records: IdempotencyStore, interleaved: InterleavingDynamoDB
) -> None:
    await begin(records, NOW)
    interleaved.before("UpdateItem", partial(begin, records, LATER))

    with pytest.raises(ApiError) as refused:
        await late_records.begin(REQUEST, LATER, 10)

    assert (refused.value.code, interleaved.pending) == ("idempotency_in_progress", 0)


async def test_a_record_of_yesterday_that_another_run_renewed_first_is_in_progress(
    records: IdempotencyStore, late_records: IdempotencyStore, interleaved: InterleavingDynamoDB
) -> None:
    await begin(records, NOW)
    interleaved.before("PutItem", partial(begin, records, NOW + DAY))

    with pytest.raises(ApiError) as refused:
        await late_records.begin(REQUEST, Micros(NOW + DAY), 10)

    assert (refused.value.code, interleaved.pending) == ("idempotency_in_progress", 0)


async def test_a_record_that_others_renew_each_time_is_unavailable(
    records: IdempotencyStore, late_records: IdempotencyStore, interleaved: InterleavingDynamoDB
) -> None:
    await begin(records, NOW)
    interleaved.before("PutItem", *[partial(begin, records, NOW + day * DAY) for day in range(1, 5)])

    with pytest.raises(ApiError) as refused:
        await late_records.begin(REQUEST, Micros(NOW + 6 * DAY), 10)

    assert (refused.value.status, interleaved.pending) == (503, 0)


async def test_a_lock_that_cannot_be_released_now_ends_by_itself(
    records: IdempotencyStore, tables: StageTables
) -> None:
    unwell = FaultyDynamoDB(tables.endpoint)
    run = await begin(records, NOW)
    unwell.faults.extend([Fault.LOSE_REQUEST] * 4)

    await IdempotencyStore(Database(unwell, tables.stage), MemoryAnswers()).release(run)
    await unwell.close()

    assert not unwell.faults
    with pytest.raises(ApiError):
        await records.begin(REQUEST, NOW, 10)
    await begin(records, LATER)


async def test_a_run_releases_no_lock_but_its_own(records: IdempotencyStore) -> None:
    ended = await begin(records, NOW)
    await begin(records, LATER)

    await records.release(ended)

    with pytest.raises(ApiError) as refused:
        await records.begin(REQUEST, LATER, 10)
    assert refused.value.code == "idempotency_in_progress"
