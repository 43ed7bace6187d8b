"""Changes of a key's budget and rate while calls run: no charge is lost, no budget is made.

The budget that is left is the last one that was set less what calls have charged, whatever came after whatever.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callmissed.aws.attributes import Item, from_item, to_item
from callmissed.aws.database import Database
from callmissed.clock import SECOND, Micros
from callmissed.errors import ApiError
from callmissed.keys.admission import Admission, Admitted
from callmissed.keys.changes import PolicyChanges
from callmissed.keys.management import KeyManager, NewKey
from callmissed.keys.policy import MAX_RPM, KeyPolicy
from callmissed.keys.secret import Mode, key_hash
from callmissed.money import MicroCredits
from callmissed.plans.plans import Plan
from callmissed.platform.tables import KEYS
from callmissed.tenants.tenants import create_tenant
from local.aws.tables import StageTables
from tests.support.faults import FaultyDynamoDB

NOVEMBER = Micros(int(datetime(2026, 11, 16, tzinfo=UTC).timestamp()) * SECOND)
PEPPER = b"a pepper of some length"
FEW = settings(max_examples=max(5, settings().max_examples // 8))
Run = Callable[[Any], Any]


@dataclass(frozen=True)
class Round:
    """What happens at once: calls with the old and the new secret that charge, give-backs, and changes of the key."""

    calls: tuple[int, ...]
    share: int
    changes: tuple[PolicyChanges, ...]


BUDGETS = st.sampled_from([0, 50, 400, 1_000, 5_000]).map(lambda budget: PolicyChanges(budget=MicroCredits(budget)))
RATES = st.sampled_from([MAX_RPM, MAX_RPM // 2]).map(lambda rpm: PolicyChanges(rpm=rpm))
ROUNDS = st.lists(
    st.builds(
        Round,
        calls=st.lists(st.integers(1, 60), max_size=8).map(tuple),
        share=st.integers(0, 100),
        changes=st.lists(BUDGETS | RATES, max_size=2).map(tuple),
    ),
    min_size=1,
    max_size=3,
)


class Owner:
    """A key's owner, and two containers that admit its calls."""

    def __init__(self, dynamodb: FaultyDynamoDB, stage: str, tenant: str) -> None:
        self.database, self.tenant = Database(dynamodb, stage), tenant
        self.manager = KeyManager(self.database, PEPPER)
        self.containers = [Admission(self.database) for _ in range(2)]

    async def key(self, *, overlap: bool) -> tuple[str, list[NewKey]]:
        policy = KeyPolicy(rpm=MAX_RPM, budget=MicroCredits(1_000))
        key = await self.manager.create(self.tenant, name="tests", mode=Mode.LIVE, policy=policy, now=NOVEMBER)
        if not overlap:
            return key.record.key_id, [key]
        return key.record.key_id, [
            key,
            await self.manager.rotate(self.tenant, key.record.key_id, overlap_minutes=60, now=NOVEMBER),
        ]

    async def call(self, number: int, key: NewKey, cost: int) -> Admitted | ApiError:
        try:
            container = self.containers[number % 2]
            return await container.admit(key_hash(PEPPER, key.secret), MicroCredits(cost), NOVEMBER)
        except ApiError as refused:
            return refused

    async def change(self, key_id: str, policy: PolicyChanges) -> bool:
        """Whether the change was made: one that meets calls too often in an overlap is a conflict."""
        try:
            await self.manager.change(self.tenant, key_id, now=NOVEMBER, policy=policy)
        except ApiError as refused:
            assert refused.status == 409, refused
            return False
        return True

    async def items(self, keys: Sequence[NewKey]) -> list[Item]:
        found: list[Item] = []
        for key in keys:
            request = {
                "TableName": self.database.name(KEYS),
                "Key": to_item({"id": key_hash(PEPPER, key.secret)}),
                "ConsistentRead": True,
            }
            found.append(from_item((await self.database.dynamodb.call("GetItem", request))["Item"]))
        return found


@pytest.fixture
def run(loop: asyncio.AbstractEventLoop) -> Run:
    return loop.run_until_complete


@pytest.fixture
def owner(loop: asyncio.AbstractEventLoop, module_tables: StageTables, dynamodb: FaultyDynamoDB) -> Owner:
    made = create_tenant(Database(dynamodb, module_tables.stage), name="tests", plan=Plan.PRO, now=NOVEMBER)
    return Owner(dynamodb, module_tables.stage, loop.run_until_complete(made).tenant_id)


@given(rounds=ROUNDS, overlap=st.booleans())
@FEW
def test_change_between_calls_loses_no_charge(run: Run, owner: Owner, rounds: list[Round], overlap: bool) -> None:
    async def walk() -> None:
        key_id, keys = await owner.key(overlap=overlap)
        charged, most = 0, 1_000
        for each in rounds:
            calls = [owner.call(n, keys[n % len(keys)], cost) for n, cost in enumerate(each.calls)]
            outcomes, made = await asyncio.gather(
                asyncio.gather(*calls), asyncio.gather(*(owner.change(key_id, change) for change in each.changes))
            )
            admitted = [outcome for outcome in outcomes if isinstance(outcome, Admitted)]
            charged += sum(call.charged for call in admitted)
            record = await owner.manager.get(owner.tenant, key_id)
            items, budget = await owner.items(keys), record.budget
            assert budget is not None
            most = max(most, budget)
            assert sum(item["kb"] for item in items) == budget - charged
            assert charged <= most
            assert {item["rpm"] for item in items} == {record.rpm}
            assert all(made) or overlap
            for call in admitted:
                back = call.charged * each.share // 100
                await owner.containers[0].give_back(call, MicroCredits(back))
                charged -= back
            assert sum(item["kb"] for item in await owner.items(keys)) == budget - charged

    run(walk())
