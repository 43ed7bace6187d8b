"""How a subscription goes on: rules over records and moments, without I/O.

    bought by order     a period begins now, of a plan above the tenant's; what was paid for the rest is taken off
    renewed by order    one more period from the end, also in the three days of grace after it
    end of a period     what is paid goes on; else what is scheduled follows; else there is grace, then the free plan
    given by operator   without end, or until a moment; a period each month, and no grace
    refunded            the period that the order paid ends at once; the one after it begins at once, if it is paid

A period of a paid plan brings its credits once, when it begins.
"""

from dataclasses import dataclass
from functools import partial

from callmissed.clock import Micros
from callmissed.money import MicroCredits, Paise
from callmissed.plans.plans import Plan, limits
from functions.billing.subscriptions.periods import period_start, unused_share
from functions.billing.subscriptions.records import (
    RENEWABLE,
    PlanPurchase,
    Subscription,
    next_revision,
)


@dataclass(frozen=True, slots=True)
class PlanGrant:
    """Credits of the period of `plan` that begins at `start`; `order_id` is of the order that paid it, if any."""

    plan: Plan
    credits: MicroCredits
    start: Micros
    order_id: str = ""


@dataclass(frozen=True, slots=True)
class Transition:
    """A subscription after a change, and the credits that come with the change."""

    after: Subscription
    grant: PlanGrant | None = None


def has_ended(subscription: Subscription, now: Micros) -> bool:
    """Whether the plan is over at `now`, its grace included."""
    return subscription.lapses_at is not None and now >= subscription.lapses_at


def plan_at_end(subscription: Subscription) -> Plan:
    """The plan that a renewal pays for: the one that follows when what is paid ends."""
    return subscription.next_plan or subscription.plan


def is_renewable(subscription: Subscription, now: Micros) -> bool:
    """Whether one more period may be ordered: a bought plan's, from seven days before the end of what is paid."""
    until = subscription.paid_until
    if until is None or subscription.bought is None or subscription.renewal or has_ended(subscription, now):
        return False
    return until - RENEWABLE <= now


def bought_now(
    subscription: Subscription, purchase: PlanPurchase, unused_of: Micros | None, now: Micros
) -> Transition | None:
    """What a paid order does: it renews the plan, or begins one above it; None where it can do neither any more.

    `unused_of` is the start of the period whose unused share was taken off the price: no other's was.
    """
    if is_renewable(subscription, now) and purchase.plan in (subscription.plan, plan_at_end(subscription)):
        return renewed(subscription, purchase)
    current = Plan.FREE if has_ended(subscription, now) else subscription.plan
    if not purchase.plan.is_above(current) or (unused_of is not None and unused_of != subscription.start):
        return None
    return upgraded(subscription, purchase, now)


def unused_price(subscription: Subscription, now: Micros) -> Paise:
    """What was paid and is not used at `now`: of the current period's full price, and of the next one's."""
    bought, renewal = subscription.bought, subscription.renewal
    if bought is None or subscription.paid_until is None or now >= subscription.paid_until:
        return Paise(0)
    current = unused_share(bought.price, subscription.start, subscription.end, now)
    return Paise(current + (renewal.price if renewal else 0))


def upgraded(subscription: Subscription, purchase: PlanPurchase, now: Micros) -> Transition:
    """A period of a bought plan begins now."""
    after = next_revision(
        subscription,
        plan=purchase.plan,
        anchor=now,
        period=0,
        paid_until=period_start(now, 1),
        bought=purchase,
        renewal=None,
        next_plan=None,
        had=subscription.had | {str(purchase.plan)},
        pending=True,
    )
    return Transition(after, _bought(purchase, now))


def renewed(subscription: Subscription, purchase: PlanPurchase) -> Transition:
    """One more period is paid, from the end of what was paid before; it brings its credits when it begins."""
    paid_until = period_start(subscription.anchor, subscription.period + 2)
    return Transition(next_revision(subscription, renewal=purchase, paid_until=paid_until))


def scheduled(subscription: Subscription, plan: Plan | None) -> Transition:
    """Another plan follows at the end of what is paid; with None, the same one."""
    return Transition(next_revision(subscription, next_plan=plan))


def given(subscription: Subscription, plan: Plan, until: Micros | None, now: Micros) -> Transition:
    """An operator gives the plan, until a moment or without end. The plan that the tenant has goes on in its period."""
    if plan is Plan.FREE:
        return Transition(next_revision(subscription, **_FREE))
    common = partial(
        next_revision, subscription, paid_until=until, bought=None, renewal=None, next_plan=None, pending=True
    )
    if plan is subscription.plan and subscription.revision:
        return Transition(common())
    after = common(plan=plan, anchor=now, period=0, had=subscription.had | {str(plan)})
    return Transition(after, _granted(subscription, plan, now))


def without(subscription: Subscription, order_id: str, now: Micros) -> Transition | None:
    """The subscription after the refund of an order; None if the order pays nothing that is left of it."""
    bought, renewal = subscription.bought, subscription.renewal
    if renewal and renewal.order_id == order_id:
        return Transition(next_revision(subscription, renewal=None, paid_until=subscription.end))
    if not bought or bought.order_id != order_id or subscription.is_free:
        return None
    return upgraded(subscription, renewal, now) if renewal else Transition(next_revision(subscription, **_FREE))


def next_transition(subscription: Subscription, now: Micros) -> Transition | None:
    """What is due at `now`, one boundary at a time; None when nothing is."""
    if subscription.is_free or (now < subscription.end and not has_ended(subscription, now)):
        return None
    if subscription.renewal:
        return _next_bought(subscription, subscription.renewal)
    if subscription.next_plan and now >= (subscription.paid_until or subscription.end):
        return _followed_by(subscription, subscription.next_plan)
    if has_ended(subscription, now):
        return Transition(next_revision(subscription, **_FREE))
    if subscription.paid_until is None or subscription.end < subscription.paid_until:
        return _next_given(subscription)
    return None  # in grace


_FREE = {
    "plan": Plan.FREE,
    "period": 0,
    "paid_until": None,
    "bought": None,
    "renewal": None,
    "next_plan": None,
    "pending": True,
}


def _next_bought(subscription: Subscription, renewal: PlanPurchase) -> Transition:
    changed = renewal.plan is not subscription.plan
    after = next_revision(
        subscription,
        plan=renewal.plan,
        period=subscription.period + 1,
        bought=renewal,
        renewal=None,
        next_plan=None if changed else subscription.next_plan,
        had=subscription.had | {str(renewal.plan)},
        pending=subscription.pending or changed,
    )
    return Transition(after, _bought(renewal, after.start))


def _followed_by(subscription: Subscription, plan: Plan) -> Transition:
    """The scheduled plan: a paid one begins in grace, and its credits come with the order that pays it."""
    if plan is Plan.FREE or subscription.bought is None:
        return Transition(next_revision(subscription, **_FREE))
    return Transition(next_revision(subscription, plan=plan, next_plan=None, pending=True))


def _next_given(subscription: Subscription) -> Transition:
    after = next_revision(subscription, period=subscription.period + 1)
    return Transition(after, _granted(subscription, subscription.plan, after.start))


def _bought(purchase: PlanPurchase, start: Micros) -> PlanGrant | None:
    return PlanGrant(purchase.plan, purchase.credits, start, purchase.order_id) if purchase.credits else None


def _granted(subscription: Subscription, plan: Plan, start: Micros) -> PlanGrant | None:
    credits = limits(plan, start).grant(first=str(plan) not in subscription.had)
    return PlanGrant(plan, credits, start) if credits else None
