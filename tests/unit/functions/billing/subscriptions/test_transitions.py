"""How a subscription goes on: boundaries, grace, renewals, what is scheduled, operators, refunds."""

from dataclasses import replace

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from callmissed.clock import Micros, micros_of
from callmissed.money import CREDIT, MicroCredits, Paise
from callmissed.plans.plans import Plan, limits
from functions.billing.subscriptions.periods import period_start
from functions.billing.subscriptions.records import DAY, GRACE, PlanPurchase, Subscription, subscription_of
from functions.billing.subscriptions.records import to_subscription_record as record_of
from functions.billing.subscriptions.transitions import (
    Transition,
    bought_now,
    given,
    is_renewable,
    next_transition,
    plan_at_end,
    scheduled,
    unused_price,
    upgraded,
    without,
)

START = micros_of("2027-01-31T10:00:00Z")
FREE = Subscription("tnt_1", Plan.FREE, START, had=frozenset({"free"}))


def order(plan: Plan, order_id: str = "cm_1") -> PlanPurchase:
    return PlanPurchase(order_id, plan, limits(plan).price, limits(plan).monthly_grant)


def settled(transition: Transition | None) -> Subscription:
    """The subscription after the change, which was applied everywhere."""
    assert transition is not None
    return replace(transition.after, pending=False)


STARTER = settled(upgraded(FREE, order(Plan.STARTER), START))
END = period_start(START, 1)


def after(subscription: Subscription, now: Micros) -> Subscription:
    """The subscription when everything that is due was done."""
    while (transition := next_transition(subscription, now)) is not None:
        subscription = settled(transition)
    return subscription


def test_a_bought_plan_begins_now_with_its_credits() -> None:
    transition = upgraded(FREE, order(Plan.STARTER), START)

    assert transition.after.pending
    assert (transition.after.plan, transition.after.start, transition.after.paid_until) == (Plan.STARTER, START, END)
    assert transition.grant is not None
    assert (transition.grant.credits, transition.grant.order_id) == (limits(Plan.STARTER).monthly_grant, "cm_1")


def test_an_unpaid_plan_has_three_days_of_grace_and_then_ends() -> None:
    assert after(STARTER, Micros(END - 1)) == STARTER
    assert after(STARTER, Micros(END + GRACE - 1)) == STARTER
    assert after(STARTER, Micros(END + GRACE)).plan is Plan.FREE
    assert [STARTER.due_after(moment) for moment in (START, END, Micros(END + GRACE))] == [END, END + GRACE, None]


@pytest.mark.parametrize("late", [-7 * DAY, -1, 0, GRACE - 1])
def test_a_renewal_extends_from_the_end_whenever_it_is_paid(late: int) -> None:
    paid = Micros(END + late)
    renewed = settled(bought_now(STARTER, order(Plan.STARTER, "cm_2"), None, paid))

    assert renewed.paid_until == period_start(START, 2)
    rolled = after(renewed, Micros(max(paid, END)))
    assert (rolled.start, rolled.end) == (END, period_start(START, 2))
    assert rolled.bought is not None
    assert (rolled.bought.order_id, rolled.renewal) == ("cm_2", None)


def test_a_renewal_brings_its_credits_when_its_period_begins() -> None:
    transition = bought_now(STARTER, order(Plan.STARTER, "cm_2"), None, Micros(END - 1))
    assert transition is not None
    assert transition.grant is None

    rolled = next_transition(settled(transition), END)
    assert rolled is not None
    assert rolled.grant is not None
    assert (rolled.grant.start, rolled.grant.order_id) == (END, "cm_2")


def test_a_plan_is_renewable_from_seven_days_before_its_end_and_once() -> None:
    assert not is_renewable(STARTER, Micros(END - 7 * DAY - 1))
    assert is_renewable(STARTER, Micros(END - 7 * DAY))
    assert not is_renewable(STARTER, Micros(END + GRACE))
    renewed = settled(bought_now(STARTER, order(Plan.STARTER, "cm_2"), None, Micros(END - 1)))
    assert not is_renewable(renewed, Micros(END - 1))
    assert not is_renewable(FREE, START)


def test_a_late_renewal_of_a_plan_that_has_ended_begins_a_new_one() -> None:
    late = Micros(END + GRACE)
    again = settled(bought_now(STARTER, order(Plan.STARTER, "cm_2"), None, late))

    assert (again.anchor, again.paid_until) == (late, period_start(late, 1))


@pytest.mark.parametrize(
    ("current", "ordered", "fits"),
    [
        (Plan.FREE, Plan.STARTER, True),
        (Plan.STARTER, Plan.STARTER, False),
        (Plan.STARTER, Plan.PRO, True),
        (Plan.PRO, Plan.STARTER, False),
        (Plan.PRO, Plan.ENTERPRISE, True),
        (Plan.ENTERPRISE, Plan.PRO, False),
    ],
)
def test_an_order_is_applied_where_it_is_still_upwards(current: Plan, ordered: Plan, fits: bool) -> None:
    subscription = FREE if current is Plan.FREE else settled(upgraded(FREE, order(current), START))

    assert (bought_now(subscription, order(ordered, "cm_2"), None, START) is not None) is fits


def test_an_order_is_applied_only_to_the_period_whose_share_it_took_off() -> None:
    pro = order(Plan.PRO, "cm_2")

    assert bought_now(STARTER, pro, STARTER.start, START) is not None
    assert bought_now(STARTER, pro, Micros(START - 1), START) is None
    assert bought_now(after(STARTER, Micros(END + GRACE)), pro, STARTER.start, Micros(END + GRACE)) is not None


def test_the_unused_share_is_of_the_full_price_and_of_a_paid_renewal_all() -> None:
    half = Micros(START + (END - START) // 2)
    renewed = settled(bought_now(STARTER, order(Plan.STARTER, "cm_2"), None, Micros(END - 7 * DAY)))

    assert unused_price(STARTER, half) == 49_950
    assert unused_price(renewed, Micros(END - 1)) == 99_900
    assert unused_price(STARTER, END) == unused_price(FREE, START) == 0


def test_a_scheduled_plan_follows_at_the_end() -> None:
    pro = settled(upgraded(FREE, order(Plan.PRO), START))
    leaving = settled(scheduled(pro, Plan.FREE))
    lower = settled(scheduled(pro, Plan.STARTER))

    assert after(leaving, Micros(END - 1)).plan is Plan.PRO
    assert after(leaving, END).plan is Plan.FREE
    assert plan_at_end(lower) is Plan.STARTER
    unpaid = after(lower, END)
    assert (unpaid.plan, unpaid.lapses_at) == (Plan.STARTER, END + GRACE)
    assert after(unpaid, Micros(END + GRACE)).plan is Plan.FREE


def test_a_scheduled_plan_that_is_paid_begins_at_the_end_with_its_credits() -> None:
    lower = settled(scheduled(settled(upgraded(FREE, order(Plan.PRO), START)), Plan.STARTER))
    paid = settled(bought_now(lower, order(Plan.STARTER, "cm_2"), None, Micros(END - 1)))
    assert paid.plan is Plan.PRO

    transition = next_transition(paid, END)
    assert transition is not None
    assert (transition.after.plan, transition.after.pending, transition.after.next_plan) == (Plan.STARTER, True, None)
    assert transition.grant is not None
    assert transition.grant.credits == limits(Plan.STARTER).monthly_grant


def test_a_plan_scheduled_after_a_renewal_follows_the_renewed_period() -> None:
    renewed = settled(bought_now(STARTER, order(Plan.STARTER, "cm_2"), None, Micros(END - 1)))
    leaving = settled(scheduled(renewed, Plan.FREE))

    assert after(leaving, END).plan is Plan.STARTER
    assert after(leaving, period_start(START, 2)).plan is Plan.FREE


def test_an_operators_plan_goes_on_month_by_month_with_its_credits() -> None:
    transition = given(FREE, Plan.ENTERPRISE, None, START)
    assert transition.grant is not None
    assert transition.grant.credits == limits(Plan.ENTERPRISE).first_grant
    subscription, grants = settled(transition), []
    while (rolled := next_transition(subscription, period_start(START, 14))) is not None:
        subscription = settled(rolled)
        grants.append(rolled.grant)

    assert [grant.start for grant in grants if grant] == [period_start(START, number) for number in range(1, 15)]
    assert {grant.credits for grant in grants if grant} == {MicroCredits(20_000 * CREDIT)}
    assert (subscription.plan, subscription.lapses_at) == (Plan.ENTERPRISE, None)


def test_an_operators_plan_ends_without_grace_at_the_moment_given() -> None:
    until = Micros(START + 10 * DAY)
    subscription = settled(given(FREE, Plan.PRO, until, START))

    assert after(subscription, Micros(until - 1)).plan is Plan.PRO
    assert after(subscription, until).plan is Plan.FREE
    assert subscription.due_after(START) == until


def test_an_operator_who_gives_the_same_plan_changes_its_end_only() -> None:
    transition = given(STARTER, Plan.STARTER, None, Micros(START + DAY))

    assert transition.grant is None
    assert (transition.after.start, transition.after.paid_until) == (START, None)


def test_a_refund_ends_the_period_that_its_order_paid() -> None:
    assert settled(without(STARTER, "cm_1", START)).plan is Plan.FREE
    assert without(STARTER, "cm_other", START) is None
    assert without(FREE, "cm_1", START) is None


def test_a_refund_of_a_renewal_leaves_the_current_period() -> None:
    renewed = settled(bought_now(STARTER, order(Plan.STARTER, "cm_2"), None, Micros(END - 1)))
    back = settled(without(renewed, "cm_2", Micros(END - 1)))

    assert (back.plan, back.paid_until, back.renewal) == (Plan.STARTER, END, None)


def test_a_refund_of_the_current_period_begins_the_paid_next_one() -> None:
    renewed = settled(bought_now(STARTER, order(Plan.STARTER, "cm_2"), None, Micros(END - 1)))
    transition = without(renewed, "cm_1", Micros(END - 1))

    assert transition is not None
    assert transition.after.start == END - 1
    assert transition.grant is not None
    assert transition.grant.order_id == "cm_2"


PLANS = st.sampled_from([Plan.STARTER, Plan.PRO, Plan.ENTERPRISE])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("wait"), st.integers(0, 40 * DAY)),
        st.tuples(st.just("buy"), PLANS),
        st.tuples(st.just("schedule"), st.sampled_from([None, Plan.FREE, Plan.STARTER])),
        st.tuples(st.just("give"), PLANS),
        st.tuples(st.just("refund"), st.integers(0, 12)),
    ),
    max_size=20,
)


class History:
    """A subscription, the moment, and the grants that it brought."""

    def __init__(self) -> None:
        self.now, self.subscription, self.orders = START, FREE, 0
        self.grants: list[str] = []

    def take(self, transition: Transition | None) -> None:
        if transition is None:
            return
        assert transition.after.revision == self.subscription.revision + 1
        if transition.grant:
            self.grants.append(transition.grant.order_id or f"{transition.grant.start} {self.subscription.revision}")
        self.subscription = settled(transition)

    def step(self, kind: str, value: object) -> Transition | None:
        subscription, now = self.subscription, self.now
        match kind, value:
            case "wait", int():
                self.now = Micros(now + value)
            case "buy", Plan():
                self.orders += 1
                unused = subscription.start if unused_price(subscription, now) else None
                return bought_now(subscription, order(value, f"cm_{self.orders}"), unused, now)
            case "schedule", Plan() | None if value is None or subscription.plan.is_above(value):
                return scheduled(subscription, value)
            case "give", Plan():
                return given(subscription, value, None, now)
            case "refund", int():
                return without(subscription, f"cm_{value}", now)
            case _:
                pass
        return None

    def check(self) -> None:
        subscription = self.subscription
        assert subscription_of(record_of(subscription, None)) == subscription
        if subscription.is_free:
            assert (subscription.paid_until, subscription.bought, subscription.renewal) == (None, None, None)
            return
        assert subscription.start <= self.now < Micros(subscription.end + GRACE)
        assert subscription.bought is None or subscription.paid_until is not None
        moment = subscription.due_after(self.now)
        assert moment is not None
        assert moment > self.now


@for_all(STEPS)
def test_any_history_keeps_periods_whole_and_pays_each_grant_once(steps: list[tuple[str, object]]) -> None:
    history = History()
    for kind, value in steps:
        history.take(history.step(kind, value))
        while (due := next_transition(history.subscription, history.now)) is not None:
            history.take(due)
        history.check()
    assert len(history.grants) == len(set(history.grants))


def test_prices_are_whole_paise() -> None:
    assert isinstance(unused_price(STARTER, Micros(START + 1)), int)
    assert Paise(0) < unused_price(STARTER, Micros(START + 1)) < limits(Plan.STARTER).price
