"""Rotations share out a key's budget, this month's and the next one's, whatever comes after whatever."""

from dataclasses import dataclass
from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from callmissed.aws.attributes import Item
from callmissed.clock import MINUTE, SECOND, month_of
from callmissed.keys.policy import NEVER, KeyPolicy, key_item, month_budget
from callmissed.keys.rotation import hand_over
from callmissed.keys.secret import Mode

DECEMBER = int(datetime(2026, 12, 1, tzinfo=UTC).timestamp()) * SECOND
START = DECEMBER - 40 * MINUTE


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


def turned(item: Item, month: int) -> Item:
    """The item after a call in `month`, as admission turns it."""
    return item if item["km"] >= month else item | {"km": month, "kb": month_budget(item, month)}


def left(items: list[Item], month: int) -> int:
    """What all secrets together may still spend in `month`, if each is called with."""
    assert all(turned(item, month)["kb"] >= 0 for item in items)
    return sum(turned(item, month)["kb"] for item in items)


@settings(max_examples=settings().max_examples * 5)
@given(budget=st.integers(0, 1000), steps=STEPS)
def test_no_budget_is_created_or_lost(budget: int, steps: list[Step]) -> None:
    item = key_item(
        id="0", key_id="k", tenant="t", plan="pro", mode=Mode.LIVE, policy=KeyPolicy(budget=budget), now=START
    )
    items, now, spent = [item], START, {month_of(START): 0, month_of(DECEMBER): 0}
    for number, step in enumerate(steps, 1):
        now += step.minutes * MINUTE
        items = [item for item in items if item["ex"] > now]
        for caller in step.callers:
            index = caller % len(items)
            called = turned(items[index], month_of(now))
            spent[month_of(now)] += called["kb"] // 3
            items[index] = called | {"kb": called["kb"] - called["kb"] // 3}
        if step.overlap is not None:
            handover = hand_over(items, items[-1], str(number), overlap=step.overlap * MINUTE, now=now)
            items = [earlier | change for earlier, change in handover.earlier if change] + [handover.fresh]
        assert left(items, month_of(now)) + spent[month_of(now)] <= budget
        alive = [item for item in items if item["ex"] > DECEMBER]
        assert now >= DECEMBER or left(alive, month_of(DECEMBER)) == budget
        assert items[-1]["ex"] == NEVER
        assert items[-1]["bud"] == budget
