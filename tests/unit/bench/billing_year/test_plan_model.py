"""The models by which the simulated year is compared say what docs/billing.md says."""

from bench.billing_year.months import day_of, first_of_next_month, moment_of, months_later
from bench.billing_year.plan_model import DAY, ExpectedOrder, ExpectedPlan, credits_of, price
from callmissed.plans.plans import Plan

STARTER, PRO = Plan.STARTER, Plan.PRO


def order_of(plan: Plan, name: str = "one") -> ExpectedOrder:
    return ExpectedOrder(name, price(plan), credits_of(plan, is_first=name == "one"), plan, price(plan))


def test_months_are_counted_from_the_anchor_without_drift() -> None:
    anchor = moment_of(2027, 10, 31, 9, 30)
    days = [day_of(months_later(anchor, number)) for number in range(6)]
    assert days == ["2027-10-31", "2027-11-30", "2027-12-31", "2028-01-31", "2028-02-29", "2028-03-31"]
    assert months_later(anchor, 12) - moment_of(2028, 10, 31) == anchor - moment_of(2027, 10, 31)
    assert day_of(first_of_next_month(moment_of(2027, 12, 31))) == "2028-01-01"


def test_renewal_in_grace_extends_from_the_end() -> None:
    plan, start = ExpectedPlan(), moment_of(2026, 1, 31)
    assert plan.pay(order_of(STARTER), start)
    plan.advance(plan.end + 2 * DAY)
    assert plan.pay(order_of(STARTER, "two"), plan.end + 2 * DAY)
    assert [day_of(period.start) for period in plan.periods] == ["2026-01-31", "2026-02-28"]
    assert day_of(plan.end) == "2026-03-31"
    plan.advance(plan.end + 3 * DAY)
    assert (plan.plan, plan.lapses) == (Plan.FREE, 1)


def test_upgrade_takes_the_unused_share_off() -> None:
    plan, start = ExpectedPlan(), moment_of(2026, 4, 1)
    plan.pay(order_of(STARTER), start)
    half = start + 15 * DAY
    assert plan.price_of(PRO, half) == price(PRO) - price(STARTER) // 2
    assert plan.price_of(STARTER, half) is None


def test_parts_of_a_refund_take_all_credits_together() -> None:
    order = ExpectedOrder("one", 99, 100, granted=100)
    taken: list[int] = []
    for paise in (33, 33, 33):
        taken.append(order.share(paise))
        order.refunded += paise
        order.returned += taken[-1]
    assert taken == [33, 33, 34]
