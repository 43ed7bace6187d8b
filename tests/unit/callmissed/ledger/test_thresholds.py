"""When thresholds are published: at them, not before; and with which id, so that none is published twice."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callmissed.clock import SECOND, Micros
from callmissed.events.outbox import new_event, to_record
from callmissed.events.types import BudgetAlert
from callmissed.ledger.entries import Account, EntryType, LedgerEntry
from callmissed.ledger.queries import Balance, total
from callmissed.ledger.thresholds import crossings, moves_money, settled
from callmissed.ledger.wallet import HoldToken, new_wallet
from callmissed.money import CREDIT, MicroCredits

MONEY = st.integers(0, 10**12)


def balance(*, spent: int = 0, budget: int | None = None, left: int = 10**12, flying: int = 0, gr: int = 0) -> Balance:
    """A balance of November with `left` micro-credits, of which `flying` are held."""
    return Balance(
        tenant="tnt_1",
        plan="pro",
        status="active",
        available=MicroCredits(left - flying),
        held=MicroCredits(flying),
        granted=MicroCredits(gr),
        spent_ever=MicroCredits(spent),
        month=202611,
        spent=MicroCredits(spent),
        budget=None if budget is None else MicroCredits(budget),
        budget_left=None if budget is None else MicroCredits(budget - spent - flying),
        quotas_left={},
        calls_made={},
    )


def charge(call_id: str, amount: int, held: tuple[int, int] | None) -> LedgerEntry:
    kind, debit, credit = EntryType.DEDUCTION, Account.HELD, Account.REVENUE
    return LedgerEntry("tnt_1", call_id, kind, MicroCredits(amount), debit, credit, Micros(0), held=held)


def passed_thresholds(found: Balance, low_credits: int = 50) -> list[tuple[str, str]]:
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
    assert passed_thresholds(balance(spent=spent, budget=1000 * CREDIT)) == expected


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
    names = [name for name, _ in passed_thresholds(balance(spent=budget - left, budget=budget))]

    assert ("budget.exceeded" in names) is exceeded


def test_what_is_published_of_a_budget() -> None:
    (alert,) = crossings(balance(spent=812_500_000, budget=1000 * CREDIT), 0)

    assert alert.data.model_dump() == {
        "period": "2026-11",
        "threshold_percent": 80,
        "monthly_budget_credits": 1000.0,
        "period_used_credits": 812.5,
        "remaining_credits": 187.5,
    }


@given(MONEY, MONEY)
def test_a_tenant_without_a_budget_gets_no_budget_event(spent: int, left: int) -> None:
    assert not [name for name, _ in passed_thresholds(balance(spent=spent, left=left)) if name.startswith("budget")]


@pytest.mark.parametrize(
    ("left", "flying", "low"), [(50_000_000, 0, False), (49_999_999, 0, True), (60_000_000, 60_000_000, False)]
)
def test_few_credits(left: int, flying: int, low: bool) -> None:
    found = list(crossings(balance(left=left, flying=flying, gr=77), 50))

    assert [(each.data.event, each.unique) for each in found] == ([("credits.low", "77")] if low else [])
    if low:
        assert found[0].data.model_dump() == {"available_credits": 49.999999, "threshold_credits": 50.0}


def test_a_tenant_that_wants_no_alerts_gets_none_of_its_budget() -> None:
    spent = replace(balance(spent=1000 * CREDIT, budget=1000 * CREDIT, left=CREDIT, gr=7), alerts=False)

    assert passed_thresholds(spent) == [("credits.low", "7")]


@pytest.mark.parametrize(("own", "low"), [(None, True), (40, False), (41, True), (0, False)])
def test_a_tenants_own_threshold_of_few_credits(own: int | None, low: bool) -> None:
    found = list(crossings(replace(balance(left=40 * CREDIT), low_credits=own), 50))

    assert [each.data.model_dump()["threshold_credits"] for each in found] == ([float(own or 50)] if low else [])


def test_a_debt_leaves_no_credits() -> None:
    owing = replace(balance(left=0, flying=0), available=0, held=10 * CREDIT, debt=30 * CREDIT)

    (found,) = crossings(owing, 5)
    assert found.data.model_dump()["available_credits"] == 0
    assert passed_thresholds(owing, 0) == []


def test_credits_taken_back_can_bring_a_threshold_about() -> None:
    taken = replace(charge("refund", 5, None), type=EntryType.REFUND, debit=Account.AVAILABLE, credit=Account.PAYMENTS)

    assert moves_money(taken)
    assert not moves_money(replace(taken, debit=Account.PAYMENTS, credit=Account.AVAILABLE))


@given(MONEY, st.integers(1, 10**12), st.integers(0, 10**9))
def test_spending_more_never_takes_a_threshold_back(spent: int, budget: int, more: int) -> None:
    before, after = (set(passed_thresholds(balance(spent=each, budget=budget))) for each in (spent, spent + more))

    assert before <= after


@pytest.mark.parametrize(
    ("kind", "amount", "sandbox", "moves"),
    [
        (EntryType.DEDUCTION, 1, False, True),
        (EntryType.DEDUCTION, 0, False, False),
        (EntryType.DEDUCTION, 0, True, False),
        (EntryType.DEDUCTION, 1, True, False),
        (EntryType.VOID, 0, False, False),
        (EntryType.PURCHASE, 100, False, False),
    ],
)
def test_which_entries_can_bring_a_threshold_about(kind: EntryType, amount: int, sandbox: bool, moves: bool) -> None:
    assert moves_money(replace(charge("call", amount, None), type=kind, sandbox=sandbox)) is moves


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)), max_size=5), st.data())
def test_a_wallet_after_its_entries_keeps_its_equations(calls: list[tuple[int, int]], data: st.DataObject) -> None:
    holds = {f"call-{number}": HoldToken(MicroCredits(max(pair)), number, "llm") for number, pair in enumerate(calls)}
    set_aside = sum(token.amount for token in holds.values())
    wallet = replace(
        new_wallet("tnt_1", "pro", 202611, budget=MicroCredits(10**8)),
        granted=10**9,
        available=10**9 - set_aside,
        budget_left=10**8 - set_aside,
        holds=holds,
    )
    entries = [charge(f"call-{number}", min(pair), (max(pair), number)) for number, pair in enumerate(calls)]
    written = data.draw(st.lists(st.sampled_from(entries))) if entries else []

    after = settled(wallet, written)

    assert after.available + after.held + after.spent_ever == after.granted
    assert after.budget_left + after.held + after.spent == after.budget
    assert after.imbalance == 0
    assert after.spent == sum(each.amount for each in entries if each in written)
    assert settled(after, written) == after


@pytest.mark.parametrize(("call_id", "held"), [("a", (5, 2)), ("b", None)])
def test_an_entry_of_another_attempt_resolves_nothing(call_id: str, held: tuple[int, int] | None) -> None:
    wallet = replace(new_wallet("tnt_1", "pro", 202611), holds={"a": HoldToken(MicroCredits(5), 1, "llm")})

    assert settled(wallet, [charge(call_id, 1, held)]) == wallet


def test_a_shard_that_no_call_has_turned_yet_counts_for_the_month_before() -> None:
    turned = new_wallet("tnt_1", "enterprise", 202612, budget=MicroCredits(500 * CREDIT))
    behind = replace(turned, wallet_id="tnt_1#1", month=202611, spent=499 * CREDIT, budget_left=CREDIT)

    assert not list(crossings(total([turned, behind], 202612), 0))
    assert [name for name, _ in passed_thresholds(total([behind], 202611), 0)] == [
        "budget.alert",
        "budget.alert",
        "budget.exceeded",
    ]


def test_what_is_published_once_a_month_is_remembered_to_the_end_of_the_longest() -> None:
    first = int(datetime(2026, 12, 1, tzinfo=UTC).timestamp())
    alert = BudgetAlert.model_validate(BudgetAlert.example)

    record = to_record(new_event("tnt_1", alert, Micros(first * SECOND), unique="2026-12 80"))

    assert record["ttl"] >= int(datetime(2027, 1, 1, tzinfo=UTC).timestamp())
