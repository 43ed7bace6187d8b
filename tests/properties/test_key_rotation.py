"""Rotations share out a key's budget, this month's and the next one's, whatever comes after whatever."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from callmissed.clock import MINUTE, SECOND, Micros, month_of
from callmissed.keys.policy import NEVER, KeyPolicy, new_key_item
from callmissed.keys.records import KeyItem
from callmissed.keys.rotation.secret_rotation import plan_rotation
from callmissed.keys.secret import Mode
from callmissed.money import MicroCredits

DECEMBER = Micros(int(datetime(2026, 12, 1, tzinfo=UTC).timestamp()) * SECOND)
START = Micros(DECEMBER - 40 * MINUTE)


@dataclass(frozen=True)
class Step:
    """What happens next: after some minutes calls spend with some secrets, and perhaps the owner rotates."""

    minutes: int
    callers: frozenset[int]
    overlap: int | None


STEPS = st.lists(
    st.builds(
        Step,
        minutes=st.integers(0, 30),
        callers=st.frozensets(st.integers(0, 3)),
        overlap=st.sampled_from([None, 0, 1, 20, 60, 24 * 60]),
    ),
    min_size=2,
    max_size=8,
)


def turned(item: KeyItem, month: int) -> KeyItem:
    """The item after a call in `month`, as admission turns it."""
    return item if item.month >= month else replace(item, month=month, budget_left=item.month_budget(month))


def left(items: list[KeyItem], month: int) -> int:
    """What all secrets together may still spend in `month`, if each is called with."""
    assert all(turned(item, month).budget_left >= 0 for item in items)
    return sum(turned(item, month).budget_left for item in items)


@settings(max_examples=settings().max_examples * 5)
@given(budget=st.integers(0, 1000), steps=STEPS)
def test_no_budget_is_created_or_lost(budget: int, steps: list[Step]) -> None:
    item = new_key_item(
        key_hash="0",
        key_id="k",
        tenant="t",
        plan="pro",
        mode=Mode.LIVE,
        policy=KeyPolicy(budget=MicroCredits(budget)),
        now=START,
    )
    items, now, spent = [item], START, {month_of(START): 0, month_of(DECEMBER): 0}
    for number, step in enumerate(steps, 1):
        now += step.minutes * MINUTE
        items = [item for item in items if item.expires > now]
        for caller in step.callers:
            index = caller % len(items)
            called = turned(items[index], month_of(Micros(now)))
            spent[month_of(Micros(now))] += called.budget_left // 3
            items[index] = replace(called, budget_left=called.budget_left - called.budget_left // 3)
        if step.overlap is not None:
            plan = plan_rotation(items, items[-1], str(number), overlap=step.overlap * MINUTE, now=Micros(now))
            items = [after for _, after in plan.earlier if after] + [plan.fresh]
        assert left(items, month_of(Micros(now))) + spent[month_of(Micros(now))] <= budget
        alive = [item for item in items if item.expires > DECEMBER]
        assert now >= DECEMBER or left(alive, month_of(DECEMBER)) == budget
        assert items[-1].expires == NEVER
        assert items[-1].budget == budget
