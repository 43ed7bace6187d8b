"""Limits hold in any window, and `Retry-After` is exact, for requests at random times."""

from random import Random

import pytest

from callmissed.aws.database import Database
from callmissed.aws.dynamodb import DynamoDB
from callmissed.clock import SECOND, Micros
from callmissed.rate_limits import Limit, SlidingWindows
from local.aws.tables import StageTables
from tests.support.sign_in import SettableClock

LIMIT = Limit("tests", 3)


@pytest.mark.parametrize("seed", range(3))
async def test_window_is_any_minute_and_the_wait_is_exact(module_tables: StageTables, seed: int) -> None:
    database = Database(DynamoDB("us-east-1", module_tables.endpoint, timeout_seconds=20), module_tables.stage)
    windows, draw, clock = SlidingWindows(database), Random(seed), SettableClock()
    counted: list[Micros] = []
    for _ in range(60):
        clock.pass_seconds(draw.choice([0, 0.000001, 1, 19.9, 20, 20.1, 59.999999, 60]))
        wait = await windows.wait(LIMIT, str(seed), clock.now)
        within = [moment for moment in counted if moment > clock.now - 60 * SECOND]
        expected = 0 if len(within) < LIMIT.count else -(-(within[-LIMIT.count] + 60 * SECOND - clock.now) // SECOND)
        assert wait == expected
        counted += [] if wait else [clock.now]
    assert len(counted) > 20
    await database.close()
