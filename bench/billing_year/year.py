"""The year: its tenants, what is going to happen, how often each thing did, and what was not as it must be."""

import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from bench.billing_year.agenda import Agenda, Work
from bench.billing_year.plan_model import ExpectedPlan
from bench.billing_year.product import CompressedProduct
from bench.billing_year.tenants import YearTenant
from callmissed.clock import MINUTE
from functions.billing.payments.service import Buyer
from functions.billing.subscriptions.records import Subscription
from tests.support.billing.purchases import ACTOR

_SWEEP = 3 * MINUTE
"""Delay of the sweep over subscriptions after a boundary."""

_MAX_WRONG = 40


PlanState = dict[str, object]
"""What can be compared of a plan."""


class TooMuchWrongError(Exception):
    """Nothing more can be learned from this run."""


@dataclass
class Year:
    """A year in progress. Lives end at `ends`; what is under way then still comes."""

    product: CompressedProduct
    draw: random.Random
    ends: int
    agenda: Agenda = field(default_factory=Agenda)
    tenants: list[YearTenant] = field(default_factory=list[YearTenant])
    done: Counter[str] = field(default_factory=Counter[str])
    wrong: list[str] = field(default_factory=list[str])
    on_period: Callable[[YearTenant], None] = lambda _tenant: None
    _swept: set[int] = field(default_factory=set[int])

    @property
    def now(self) -> int:
        """The moment."""
        return self.product.now

    @property
    def is_over(self) -> bool:
        """Whether tenants do nothing more."""
        return self.now >= self.ends

    def did(self, what: str) -> None:
        """Count an action."""
        self.done[what] += 1

    def later(self, delay: float, work: Work) -> None:
        """Let work happen after a delay (microseconds)."""
        self.agenda.at(self.now + int(delay), work)

    def expect(self, what: str, tenant: YearTenant, found: object, wanted: object) -> None:
        """Write down what is not as the model says."""
        if found != wanted:
            self.blame(f"{what} of {tenant.character} {tenant.tenant_id}: {found}, expected {wanted}")

    def expect_none(self, what: str, found: Sequence[object]) -> None:
        """Write down what must not be there."""
        if found:
            self.blame(f"{len(found)} {what}: {found[:3]}")

    def blame(self, what: str) -> None:
        """Write down what is wrong. Raises TooMuchWrongError."""
        self.wrong.append(f"{self.product.date}: {what}")
        if len(self.wrong) >= _MAX_WRONG:
            raise TooMuchWrongError

    def buyer(self, tenant: YearTenant, order_id: str) -> Buyer:
        """A person of the tenant who orders."""
        return Buyer(tenant.tenant_id, "usr_1", ACTOR, order_id)

    async def check_plan(self, tenant: YearTenant) -> None:
        """The stored subscription is the expected one. A sweep follows each of its boundaries."""
        wanted = expected_plan(tenant.plan)
        if await self._stored_plan(tenant) != wanted:  # its process died on the way
            self.did("plan, completed by the sweep")
            await self.product.sweep_subscriptions()
        self.expect("plan", tenant, await self._stored_plan(tenant), wanted)
        if len(tenant.plan.periods) > tenant.decided:
            tenant.decided = len(tenant.plan.periods)
            self.on_period(tenant)
        for boundary in tenant.plan.boundaries(self.now):
            if boundary not in self._swept:
                self._swept.add(boundary)
                self.agenda.at(boundary + _SWEEP, self.sweep_subscriptions)

    async def _stored_plan(self, tenant: YearTenant) -> PlanState:
        return stored_plan(await self.product.subscriptions.records.get(tenant.tenant_id))

    async def sweep_subscriptions(self) -> None:
        """Run the schedule, and look at every plan that has changed."""
        await self.product.sweep_subscriptions()
        for tenant in self.tenants:
            before = expected_plan(tenant.plan)
            tenant.advance(self.now)
            if expected_plan(tenant.plan) != before:
                await self.check_plan(tenant)


def expected_plan(plan: ExpectedPlan) -> PlanState:
    """The plan of a model."""
    if plan.is_free:
        return {"plan": "free"}
    return {
        "plan": str(plan.plan),
        "start": plan.start,
        "end": plan.end,
        "until": plan.paid_until,
        "bought": plan.bought and plan.bought.order_id,
        "renewal": plan.renewal and plan.renewal.order_id,
        "next": plan.follows and str(plan.follows),
        "pending": False,
    }


def stored_plan(found: Subscription) -> PlanState:
    """A stored subscription."""
    if found.is_free and not found.pending:
        return {"plan": "free"}
    return {
        "plan": str(found.plan),
        "start": found.start,
        "end": found.end,
        "until": found.paid_until,
        "bought": found.bought and found.bought.order_id,
        "renewal": found.renewal and found.renewal.order_id,
        "next": found.next_plan and str(found.next_plan),
        "pending": found.pending,
    }
