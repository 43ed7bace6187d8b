"""The plans of tenants: what they may order, how it is scheduled, and what is due.

Each change is one transaction: the subscription, the credits of a period that begins, the audit event. The plan then
reaches everything else (functions.billing.subscriptions.changes), here or in the sweep.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from callmissed.audit.events import Actor, ActorKind, AuditEvent, audit_operation
from callmissed.aws.dynamodb import TransactionCanceled, Unavailable
from callmissed.aws.operations import WriteOperation
from callmissed.clock import Clock, Micros, iso
from callmissed.errors import ApiError, invalid_request
from callmissed.ledger.entries import EntryType
from callmissed.ledger.grants import grant_operations
from callmissed.money import MicroCredits, Paise, show
from callmissed.plans.plans import Plan
from callmissed.plans.price_lists import PriceList, price_list
from functions.billing.subscriptions.changes import OvertakenError, PlanChanges
from functions.billing.subscriptions.records import PlanPurchase, Subscription
from functions.billing.subscriptions.repository import SubscriptionRecords, write_operation
from functions.billing.subscriptions.transitions import (
    PlanGrant,
    Transition,
    bought_now,
    given,
    is_renewable,
    next_transition,
    plan_at_end,
    scheduled,
    unused_price,
    without,
)

_TRIES = 20
_MIN_AMOUNT = Paise(100)
"""The gateway takes no less than a rupee."""

_SYSTEM = Actor(ActorKind.SYSTEM, "subscriptions")

Change = Callable[[Subscription], Transition | None]


@dataclass(frozen=True, slots=True)
class PlanOffer:
    """What a period of a plan costs a tenant: its full price, less what is unused of the period that began then."""

    plan_from: Plan
    amount: Paise
    full_price: Paise
    credits: MicroCredits
    prices: PriceList
    unused_of: Micros | None


class PlanSubscriptions:
    """The subscriptions of one stage. Every method raises ApiError 404 for an unknown tenant, and Unavailable."""

    def __init__(self, records: SubscriptionRecords, clock: Clock) -> None:
        self.records = records
        self._database = records.database
        self._changes = PlanChanges(records, clock)
        self._clock = clock

    async def advance(self, tenant: str) -> Subscription:
        """Make every change that is due, and complete the ones that were interrupted. Safe to repeat."""
        for _ in range(_TRIES):
            subscription = await self.records.get(tenant)
            if not await self._advanced(subscription):
                return subscription
        raise Unavailable("the subscription kept changing", indeterminate=False)

    async def offer(self, tenant: str, plan: Plan) -> PlanOffer:
        """What the tenant pays for a period of `plan` now. Raises ApiError 400 for one that it can't order."""
        subscription, now = await self.advance(tenant), self._clock()
        prices = price_list(now)
        limits = prices.plans[plan]
        credits = limits.grant(first=str(plan) not in subscription.had)
        if is_renewable(subscription, now) and plan is plan_at_end(subscription):
            return PlanOffer(subscription.plan, limits.price, limits.price, credits, prices, None)
        if not plan.is_above(subscription.plan):
            raise invalid_request(f"A subscription cannot upgrade {subscription.plan}→{plan}.", "plan")
        unused = unused_price(subscription, now)
        amount = max(_MIN_AMOUNT, Paise(limits.price - unused))
        unused_of = subscription.start if unused else None
        return PlanOffer(subscription.plan, amount, limits.price, credits, prices, unused_of)

    async def purchase_operations(
        self, tenant: str, purchase: PlanPurchase, unused_of: Micros | None, now: Micros
    ) -> list[WriteOperation] | None:
        """Operations that give the tenant what it has paid, for the transaction that settles the order.

        None when the plan is not above the tenant's any more, and renews nothing. A condition fails after a concurrent
        change of the subscription or the wallets: ask again.
        """
        subscription = await self.records.get(tenant)
        transition = bought_now(subscription, purchase, unused_of, now)
        if transition is None:
            return None
        return await self._operations(subscription, transition, _SYSTEM, now, order=purchase.order_id)

    async def schedule(self, tenant: str, plan: Plan, actor: Actor) -> Subscription:
        """Let a lower plan follow at the end of what is paid; with the tenant's own one, nothing. Raises ApiError."""

        def change(subscription: Subscription) -> Transition | None:
            follows = None if plan is subscription.plan else plan
            _check_schedule(subscription, plan)
            return None if follows is subscription.next_plan else scheduled(subscription, follows)

        return await self._change(tenant, change, actor)

    async def give(self, tenant: str, plan: Plan, until: Micros | None, actor: Actor) -> Subscription:
        """Put the tenant on the plan, by an operator, without end or `until` a moment. Raises ApiError 400."""
        now = self._clock()
        if until is not None and until <= now:
            raise invalid_request("The end lies in the past.", "until")
        return await self._change(tenant, lambda subscription: given(subscription, plan, until, now), actor)

    async def end_plan(self, tenant: str, order_id: str) -> Subscription:
        """End what the order paid, after its refund: its period, or the renewal. Safe to repeat."""
        now = self._clock()
        return await self._change(tenant, lambda subscription: without(subscription, order_id, now), _SYSTEM)

    async def _change(self, tenant: str, change: Change, actor: Actor) -> Subscription:
        for _ in range(_TRIES):
            subscription = await self.advance(tenant)
            transition = change(subscription)
            if transition is None:
                return subscription
            if await self._written(subscription, transition, actor):
                return await self.advance(tenant)
        raise Unavailable("the subscription kept changing", indeterminate=False)

    async def _advanced(self, subscription: Subscription) -> bool:
        """Make one step; False when nothing is due."""
        if subscription.pending:
            with suppress(OvertakenError):
                await self._changes.apply(subscription)
            return True
        transition = next_transition(subscription, self._clock())
        if transition is None:
            return False
        await self._written(subscription, transition, _SYSTEM)
        return True

    async def _written(self, subscription: Subscription, transition: Transition, actor: Actor) -> bool:
        """Write a change; False after a concurrent one."""
        operations = await self._operations(subscription, transition, actor, self._clock())
        try:
            await self._database.transact(operations)
        except TransactionCanceled:
            return False
        return True

    async def _operations(
        self, before: Subscription, transition: Transition, actor: Actor, now: Micros, order: str = ""
    ) -> list[WriteOperation]:
        after, grant = transition.after, transition.grant
        granted = await self._granted(before.tenant, grant, now) if grant else ()
        event = AuditEvent(
            before.tenant, "plan.change", "subscription", before.tenant, actor, _audited(before, after, grant, order)
        )
        return [write_operation(after, now), *granted, audit_operation(event, now)]

    async def _granted(self, tenant: str, grant: PlanGrant, now: Micros) -> Sequence[WriteOperation]:
        """The credits of a period, once for ever: by the order that paid it, or the moment at which it begins."""
        return await grant_operations(
            self._database,
            tenant,
            grant.credits,
            plan_grant_id(grant.order_id or str(grant.start)),
            now,
            kind=EntryType.PLAN_GRANT,
            description=f"Plan {grant.plan}, period from {iso(grant.start)[:10]}",
            reference=grant.order_id,
        )


def _check_schedule(subscription: Subscription, plan: Plan) -> None:
    """Raises ApiError 400 for a plan that can't follow, 409 where the next period is paid."""
    if plan.is_above(subscription.plan):
        raise invalid_request(f"A subscription cannot downgrade {subscription.plan}→{plan}. Order an upgrade.", "plan")
    if subscription.bought is None and plan not in (Plan.FREE, subscription.plan):
        raise invalid_request("A plan that was not bought is followed by the free one only.", "plan")
    if subscription.renewal and subscription.renewal.plan is not subscription.plan:
        raise ApiError(409, "conflict", f"The next period is paid, on the plan '{subscription.renewal.plan}'.")


def plan_grant_id(name: str) -> str:
    """Id under which the ledger applies the credits of a period, once: by its order, or by its start."""
    return f"plan_grant_{name}"


def _audited(before: Subscription, after: Subscription, grant: PlanGrant | None, order: str) -> dict[str, str]:
    """What a change says in the audit log."""
    changes = {"from": str(before.plan), "to": str(after.plan)}
    if after.paid_until is not None:
        changes["until"] = iso(after.paid_until)
    if after.next_plan:
        changes["next"] = str(after.next_plan)
    if grant:
        changes["granted"] = show(grant.credits)
    return {**changes, "order": order} if order else changes
