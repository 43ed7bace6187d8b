"""Keys under calls that come all at once: revocation, the month's turn, the budget and a rotation between them."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callmissed.aws.attributes import Item, from_item, to_item
from callmissed.aws.database import Database
from callmissed.clock import SECOND, Micros, month_of
from callmissed.errors import ApiError
from callmissed.keys.admission import Admission, Admitted
from callmissed.keys.management import KeyManager, NewKey
from callmissed.keys.policy import MAX_RPM, KeyPolicy
from callmissed.keys.secret import Mode, key_hash
from callmissed.money import MicroCredits
from callmissed.plans.plans import Plan
from callmissed.platform.tables import KEYS, physical_name
from callmissed.tenants.tenants import create_tenant
from local.aws.tables import StageTables
from tests.support.faults import Fault, FaultyDynamoDB

DECEMBER = Micros(int(datetime(2026, 12, 1, tzinfo=UTC).timestamp()) * SECOND)
NOVEMBER = Micros(DECEMBER - 60 * SECOND)
PEPPER = b"a pepper of some length"
FEW = settings(max_examples=max(5, settings().max_examples // 6))


class Process:
    """Containers and an owner's tools on one stage."""

    def __init__(self, dynamodb: FaultyDynamoDB, stage: str, tenant: str) -> None:
        self.dynamodb, self.stage, self.tenant = dynamodb, stage, tenant
        self.manager = KeyManager(Database(dynamodb, stage), PEPPER)
        self.containers = [Admission(Database(dynamodb, stage)) for _ in range(3)]

    async def key(self, budget: int | None = None) -> NewKey:
        """A key made in November that is fast enough for everything here."""
        policy = KeyPolicy(rpm=MAX_RPM, budget=None if budget is None else MicroCredits(budget))
        return await self.manager.create(self.tenant, name="tests", mode=Mode.LIVE, policy=policy, now=NOVEMBER)

    async def calls(self, secret: str, estimates: Sequence[int], now: int) -> list[Any]:
        """Outcomes of one call for each estimate, all at once, over all containers."""
        id = key_hash(PEPPER, secret)
        admissions = [
            self.containers[n % 3].admit(id, MicroCredits(estimate), Micros(now + n))
            for n, estimate in enumerate(estimates)
        ]
        return await asyncio.gather(*admissions, return_exceptions=True)

    async def item(self, secret: str) -> Item:
        """The secret's hot item, strongly consistent."""
        key = to_item({"id": key_hash(PEPPER, secret)})
        request = {"TableName": physical_name(self.stage, KEYS), "Key": key, "ConsistentRead": True}
        return from_item((await self.dynamodb.call("GetItem", request)).get("Item", {}))


def counted(outcomes: Sequence[Any]) -> Counter[str]:
    """How often each refusal came, and `admitted` where none did."""
    for outcome in outcomes:
        if not isinstance(outcome, Admitted | ApiError):
            raise outcome
    return Counter(outcome.code if isinstance(outcome, ApiError) else "admitted" for outcome in outcomes)


@pytest.fixture
def process(loop: asyncio.AbstractEventLoop, module_tables: StageTables, dynamodb: FaultyDynamoDB) -> Process:
    stage = module_tables.stage
    tenant = loop.run_until_complete(
        create_tenant(Database(dynamodb, stage), name="tests", plan=Plan.PRO, now=NOVEMBER)
    )
    return Process(dynamodb, stage, tenant.tenant_id)


Run = Callable[[Any], Any]


@pytest.fixture
def run(loop: asyncio.AbstractEventLoop) -> Run:
    return loop.run_until_complete


@given(before=st.integers(0, 12), during=st.integers(1, 20), late_starts=st.integers(1, 12))
@FEW
def test_no_call_that_starts_after_a_revocation_is_admitted(
    run: Run, process: Process, before: int, during: int, late_starts: int
) -> None:
    async def race() -> list[Any]:
        key = await process.key()
        await process.calls(key.secret, [0] * before, NOVEMBER)
        running = asyncio.ensure_future(process.calls(key.secret, [0] * during, NOVEMBER + SECOND))
        await asyncio.sleep(0)
        await process.manager.revoke(process.tenant, key.record.key_id)
        outcomes = await process.calls(key.secret, [0] * late_starts, NOVEMBER + 2 * SECOND)
        counted(await running)
        return outcomes

    assert counted(run(race())) == {"invalid_api_key": late_starts}


@given(
    lead=st.integers(0, 5), during=st.integers(0, 6), overlaps=st.lists(st.sampled_from([0, 5]), min_size=1, max_size=3)
)
@FEW
def test_a_revocation_ends_secrets_that_are_rotated_meanwhile(
    run: Run, process: Process, lead: int, during: int, overlaps: list[int]
) -> None:
    async def race() -> list[Any]:
        key = await process.key(budget=1000)
        rotations = [
            process.manager.rotate(process.tenant, key.record.key_id, overlap_minutes=overlap, now=NOVEMBER)
            for overlap in overlaps
        ]
        running = asyncio.gather(*rotations, process.calls(key.secret, [1] * during, NOVEMBER), return_exceptions=True)
        for _ in range(lead):
            await process.item(key.secret)  # let the rotation get a few round trips ahead
        await process.manager.revoke(process.tenant, key.record.key_id)
        made = [new.secret for new in await running if isinstance(new, NewKey)]
        outcomes = [await process.calls(secret, [0], NOVEMBER + SECOND) for secret in [key.secret, *made]]
        return [outcome for one in outcomes for outcome in one]

    assert set(counted(run(race()))) == {"invalid_api_key"}


@given(calls=st.integers(1, 30), enough_for=st.integers(0, 30), estimate=st.integers(1, 10**9))
@FEW
def test_exactly_as_many_are_admitted_as_the_budget_covers(
    run: Run, process: Process, calls: int, enough_for: int, estimate: int
) -> None:
    key = run(process.key(budget=estimate * enough_for + estimate - 1))
    outcomes = run(process.calls(key.secret, [estimate] * calls, NOVEMBER))
    passing = min(calls, enough_for)
    assert counted(outcomes) == +Counter({"admitted": passing, "budget_exceeded": calls - passing})


@given(
    spent=st.integers(1, 1000),
    estimates=st.lists(st.integers(1, 40), min_size=1, max_size=20),
    turns_late=st.integers(0, 2),
)
@FEW
def test_a_month_turns_once_however_many_calls_come(
    run: Run, process: Process, spent: int, estimates: list[int], turns_late: int
) -> None:
    key = run(process.key(budget=1000))
    (first,) = run(process.calls(key.secret, [spent], NOVEMBER))
    process.dynamodb.faults.extend([None] * len(estimates) + [Fault.DELAY] * turns_late)
    outcomes = run(process.calls(key.secret, estimates, DECEMBER))
    assert counted(outcomes) == {"admitted": len(estimates)}
    while process.dynamodb.late:
        run(process.dynamodb.deliver_late(0))
    run(process.containers[0].give_back(first, MicroCredits(spent)))  # a refund for November must not reach December
    item = run(process.item(key.secret))
    assert (item["km"], item["kb"]) == (month_of(DECEMBER), 1000 - sum(estimates))
    run(process.containers[0].give_back(outcomes[0], MicroCredits(estimates[0])))
    assert run(process.item(key.secret))["kb"] == 1000 - sum(estimates[1:])


@given(calls=st.integers(1, 20), overlap=st.sampled_from([0, 5, 24 * 60]), spent=st.integers(0, 500))
@FEW
def test_a_rotation_between_calls_creates_no_budget(
    run: Run, process: Process, calls: int, overlap: int, spent: int
) -> None:
    async def race() -> tuple[int, int]:
        key = await process.key(budget=1000)
        await process.calls(key.secret, [spent], NOVEMBER)
        rotation = process.manager.rotate(process.tenant, key.record.key_id, overlap_minutes=overlap, now=NOVEMBER)
        rotated, outcomes = await asyncio.gather(rotation, process.calls(key.secret, [7] * calls, NOVEMBER))
        secrets = [key.secret, rotated.secret]
        left = [(await process.item(secret)).get("kb", 0) for secret in secrets]
        for secret in secrets:
            await process.calls(secret, [0], DECEMBER)
        fresh = [item["kb"] for item in [await process.item(secret) for secret in secrets] if item]
        return sum(left) + spent + 7 * counted(outcomes)["admitted"], sum(fresh)

    november, december = run(race())
    assert november == 1000
    assert december <= 1000
