"""When tenants are told of their money: at, not before; and of what, so that nothing is told twice."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callmissed.clock import SECOND
from callmissed.events.outbox import new_event, to_record
from callmissed.events.types import BudgetAlert
from callmissed.ledger.queries import Balance, total
from callmissed.ledger.thresholds import crossings, moves_money, settled
from callmissed.ledger.wallet import held, new_wallet, spent
from callmissed.money import CREDIT

MONEY = st.integers(0, 10**12)


def balance(*, spent: int = 0, budget: int | None = None, left: int = 10**12, flying: int = 0, gr: int = 0) -> Balance:
    """A balance of November with `left` micro-credits, of which `flying` are held."""
    return Balance(
        tenant="tnt_1",
        plan="pro",
        status="active",
        available=left - flying,
        held=flying,
        granted=gr,
        spent_ever=spent,
        month=202611,
        spent=spent,
        budget=budget,
        budget_left=None if budget is None else budget - spent - flying,
        quotas_left={},
    )


def told(found: Balance, low_credits: int = 50) -> list[tuple[str, str]]:
    return [(crossing.data.event, crossing.unique) for crossing in crossings(found, low_credits)]


ALERT_80, ALERT_95 = ("budget.alert", "2026-11 80 1000000000"), ("budget.alert", "2026-11 95 1000000000")
EXCEEDED = ("budget.exceeded", "2026-11 1000000000")


@pytest.mark.parametrize(
    ("spent", "expected"),
    [
        (0, []),
        (799_999_999, []),
        (800_000_000, [ALERT_80]),
        (949_999_999, [ALERT_80]),
        (950_000_000, [ALERT_80, ALERT_95]),
        (990_000_000, [ALERT_80, ALERT_95]),
        (990_000_001, [ALERT_80, ALERT_95, EXCEEDED]),
        (1_000_000_000, [ALERT_80, ALERT_95, EXCEEDED]),
        (1_200_000_000, [ALERT_80, ALERT_95, EXCEEDED]),
    ],
)
def test_a_budget_of_a_thousand_credits(spent: int, expected: list[tuple[str, str]]) -> None:
    assert told(balance(spent=spent, budget=1000 * CREDIT)) == expected


@pytest.mark.parametrize(
    ("budget", "left", "exceeded"),
    [
        (100_000 * CREDIT, 500 * CREDIT, False),
        (100_000 * CREDIT, 10 * CREDIT + 1, False),
        (100_000 * CREDIT, 10 * CREDIT, True),
        (10 * CREDIT, CREDIT, False),
        (10 * CREDIT, CREDIT // 10, False),
        (10 * CREDIT, CREDIT // 10 - 1, True),
        (7, 1, False),
        (7, 0, True),
    ],
)
def test_when_so_little_is_left_that_calls_are_refused(budget: int, left: int, exceeded: bool) -> None:
    names = [name for name, _ in told(balance(spent=budget - left, budget=budget))]

    assert ("budget.exceeded" in names) is exceeded


def test_what_is_told_of_a_budget() -> None:
    (alert,) = crossings(balance(spent=812_500_000, budget=1000 * CREDIT), 0)

    assert alert.data.model_dump() == {
        "period": "2026-11",
        "threshold_percent": 80,
        "monthly_budget_credits": 1000.0,
        "period_used_credits": 812.5,
        "remaining_credits": 187.5,
    }


@given(MONEY, MONEY)
def test_a_tenant_without_a_budget_is_told_of_none(spent: int, left: int) -> None:
    assert not [name for name, _ in told(balance(spent=spent, left=left)) if name.startswith("budget")]


@pytest.mark.parametrize(
    ("left", "flying", "low"), [(50_000_000, 0, False), (49_999_999, 0, True), (60_000_000, 60_000_000, False)]
)
def test_few_credits(left: int, flying: int, low: bool) -> None:
    found = list(crossings(balance(left=left, flying=flying, gr=77), 50))

    assert [(each.data.event, each.unique) for each in found] == ([("credits.low", "77")] if low else [])
    if low:
        assert found[0].data.model_dump() == {"available_credits": 49.999999, "threshold_credits": 50.0}


@given(MONEY, st.integers(1, 10**12), st.integers(0, 10**9))
def test_spending_more_never_takes_a_threshold_back(spent: int, budget: int, more: int) -> None:
    before, after = (set(told(balance(spent=each, budget=budget))) for each in (spent, spent + more))

    assert before <= after


@pytest.mark.parametrize(
    ("entry", "moves"),
    [
        ({"type": "deduction", "amount": 1}, True),
        ({"type": "deduction", "amount": 0}, False),
        ({"type": "deduction", "amount": 0, "sandbox": True}, False),
        ({"type": "void", "amount": 0}, False),
        ({"type": "purchase", "amount": 100}, False),
    ],
)
def test_which_entries_can_bring_a_threshold_about(entry: Mapping[str, object], moves: bool) -> None:
    assert moves_money(entry) is moves


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)), max_size=5), st.data())
def test_a_wallet_after_its_entries_keeps_its_equations(calls: list[tuple[int, int]], data: st.DataObject) -> None:
    holds: dict[str, Any] = {f"call-{number}": [max(pair), number, "llm"] for number, pair in enumerate(calls)}
    set_aside = sum(tag[0] for tag in holds.values())
    wallet = new_wallet("tnt_1", "pro", 202611) | {"gr": 10**9, "av": 10**9 - set_aside, "h": holds}
    wallet |= {"bud": 10**8, "bl": 10**8 - set_aside}
    entries: list[dict[str, Any]] = [
        {"entry": f"call-{number}", "amount": min(pair), "held": [max(pair), number]}
        for number, pair in enumerate(calls)
    ]
    written = data.draw(st.lists(st.sampled_from(entries))) if entries else []

    after = settled(wallet, written)

    assert after["av"] + held(after) + spent(after) == after["gr"]
    assert after["bl"] + held(after) + after["sp"] == after["bud"]
    assert after["sp"] == sum(each["amount"] for each in entries if each in written)
    assert settled(after, written) == after


@pytest.mark.parametrize("entry", [{"entry": "a", "amount": 1, "held": [5, 2]}, {"entry": "b", "amount": 1}])
def test_an_entry_of_another_attempt_resolves_nothing(entry: dict[str, Any]) -> None:
    wallet = new_wallet("tnt_1", "pro", 202611) | {"h": {"a": [5, 1, "llm"]}}

    assert settled(wallet, [entry]) == wallet


def test_a_shard_that_no_call_has_turned_yet_counts_for_the_month_before() -> None:
    turned = new_wallet("tnt_1", "enterprise", 202612) | {"bud": 500 * CREDIT, "bl": 500 * CREDIT}
    behind = turned | {"id": "tnt_1#1", "mon": 202611, "sp": 499 * CREDIT, "bl": CREDIT}

    assert not list(crossings(total([turned, behind], 202612), 0))
    assert [name for name, _ in told(total([behind], 202611), 0)] == ["budget.alert", "budget.alert", "budget.exceeded"]


def test_what_is_told_once_a_month_is_remembered_to_the_end_of_the_longest() -> None:
    first = int(datetime(2026, 12, 1, tzinfo=UTC).timestamp())
    alert = BudgetAlert.model_validate(BudgetAlert.example)

    record = to_record(new_event("tnt_1", alert, first * SECOND, unique="2026-12 80"))

    assert record["ttl"] >= int(datetime(2027, 1, 1, tzinfo=UTC).timestamp())
