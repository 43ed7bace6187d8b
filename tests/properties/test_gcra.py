"""The key item's rate limit is GCRA, exactly: compared call by call with a reference of a dozen lines."""

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callmissed.aws.database import Database
from callmissed.aws.dynamodb import DynamoDB
from callmissed.clock import MINUTE, SECOND, Micros
from callmissed.errors import ApiError
from callmissed.ids import new_id
from callmissed.keys.admission import Admission, Admitted
from callmissed.keys.policy import MAX_RPM, KeyPolicy, new_key_item
from callmissed.keys.rates import burst
from callmissed.keys.records import to_key_item
from callmissed.keys.secret import Mode
from callmissed.money import MicroCredits
from callmissed.platform.tables import KEYS
from local.aws.tables import StageTables
from tests.support.faults import FaultyDynamoDB

START = Micros(1_794_787_200 * SECOND)
SKEW = 5 * SECOND
Step = tuple[str, int, int]

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["later", "soon", "as it conforms", "as it idles"]),
        st.integers(-1, 1) | st.integers(-SKEW, SKEW),
        st.integers(0, 2),
    ),
    min_size=1,
    max_size=25,
)


class ReferenceGcra:
    """GCRA as ITU-T I.371 has it, with ten seconds' worth of burst."""

    def __init__(self, rpm: int) -> None:
        self.interval = MINUTE // rpm
        self.tolerance = self.interval * (max(1, rpm // 6) - 1)
        self.tat = 0

    def admits(self, now: int) -> bool:
        """Whether a call at `now` conforms; counts it if it does."""
        if self.tat > now + self.tolerance:
            return False
        self.tat = max(self.tat, now) + self.interval
        return True

    def would_admit(self, now: int) -> bool:
        """Whether one more call at `now` would conform, without counting it."""
        return self.tat <= now + self.tolerance

    def admits_more(self, now: int) -> int:
        """Calls that would conform at `now` without any of them counting."""
        return max(0, (now + self.tolerance - self.tat) // self.interval + 1)


async def key_of(dynamodb: DynamoDB, stage: str, **policy: Any) -> str:
    """Id of a new key item."""
    id = new_id("hash")
    item = new_key_item(
        key_hash=id, key_id="k", tenant="t", plan="pro", mode=Mode.LIVE, policy=KeyPolicy(**policy), now=START
    )
    await Database(dynamodb, stage).put(KEYS, to_key_item(item))
    return id


async def admitted_by(admission: Admission, id: str, now: int) -> Admitted | None:
    """The admission, or None when the rate was the reason against it."""
    try:
        return await admission.admit(id, MicroCredits(0), Micros(now))
    except ApiError as refused:
        assert refused.code == "rate_limit_exceeded"
        return None


def moment(reference: ReferenceGcra, clock: int, aim: str, offset: int) -> int:
    """When the next call comes: near an edge of the algorithm, or anywhere; clocks go back five seconds at most."""
    aims = {
        "later": clock + abs(offset) * 3,
        "soon": clock + offset,
        "as it conforms": reference.tat - reference.tolerance + offset,
        "as it idles": reference.tat + offset,
    }
    return max(aims[aim], clock - SKEW)


@given(rpm=st.sampled_from([1, 2, 7, 60, 500, 3000, MAX_RPM]) | st.integers(1, MAX_RPM), steps=STEPS)
def test_admission_is_gcra(
    loop: asyncio.AbstractEventLoop, module_tables: StageTables, dynamodb: FaultyDynamoDB, rpm: int, steps: list[Step]
) -> None:
    containers = [Admission(Database(dynamodb, module_tables.stage)) for _ in range(3)]
    reference, clock = ReferenceGcra(rpm), START
    id = loop.run_until_complete(key_of(dynamodb, module_tables.stage, rpm=rpm))
    for aim, offset, container in steps:
        now = moment(reference, clock, aim, offset)
        clock = max(clock, now)
        admitted = loop.run_until_complete(admitted_by(containers[container], id, now))
        assert (admitted is not None) == reference.admits(now)
        if admitted is not None:
            assert admitted.rate.remaining == reference.admits_more(now)
            assert admitted.rate.reset == max(0, reference.tat - now)
            limit, left = (int(admitted.rate.headers[f"X-RateLimit-{name}"]) for name in ("Limit", "Remaining"))
            assert 0 <= left < limit == burst(rpm)
            assert (left == 0) is not reference.would_admit(now)


@pytest.mark.parametrize("rpm", [1, 60, 600])
def test_calls_at_once_get_the_burst_and_no_more(
    loop: asyncio.AbstractEventLoop, module_tables: StageTables, dynamodb: FaultyDynamoDB, rpm: int
) -> None:
    containers = [Admission(Database(dynamodb, module_tables.stage)) for _ in range(4)]
    id = loop.run_until_complete(key_of(dynamodb, module_tables.stage, rpm=rpm))

    async def all_at_once() -> list[Admitted | None]:
        calls = range(burst(rpm) + 20)
        return await asyncio.gather(*(admitted_by(containers[call % 4], id, START) for call in calls))

    assert sum(admitted is not None for admitted in loop.run_until_complete(all_at_once())) == burst(rpm)
