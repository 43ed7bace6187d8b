"""Expected money of one tenant: every movement, the month's calls and budget, and what calls are in flight."""

from collections import Counter
from dataclasses import dataclass, field

from bench.billing_year.months import calendar_month
from callmissed.plans.plans import UNLIMITED, Plan, limits


@dataclass(frozen=True)
class Movement:
    """An entry that is no call: its type, what it refers to, and what it adds to the tenant's credits."""

    kind: str
    reference: str
    change: int


@dataclass(frozen=True)
class ExpectedCall:
    """A call in flight, which holds `amount` micro-credits."""

    call_id: str
    service: str
    amount: int
    month: int


@dataclass
class ExpectedMoney:
    """Money at a moment. `plan` is the wallet's, `left` what calls may still hold, below zero a debt."""

    month: int
    plan: Plan = Plan.FREE
    left: int = 0
    granted: int = 0
    returned: int = 0
    spent_ever: int = 0
    spent: int = 0
    budget: int | None = None
    calls: Counter[str] = field(default_factory=Counter[str])
    held: dict[str, ExpectedCall] = field(default_factory=dict[str, ExpectedCall])
    movements: Counter[Movement] = field(default_factory=Counter[Movement])
    charges: dict[str, int] = field(default_factory=dict[str, int])

    def move(self, kind: str, reference: str, change: int) -> None:
        """An entry adds credits, or takes them back."""
        if change:
            self.movements[Movement(kind, reference, change)] += 1
            self.left += change
            self.granted += max(0, change)
            self.returned += max(0, -change)

    def turn(self, now: int, *, by_call: bool) -> bool:
        """Begin the month. A free tenant's grant comes with its first call."""
        month = calendar_month(now)
        if month <= self.month:
            return False
        self.month, self.spent = month, 0
        self.calls.clear()
        if by_call and self.plan is Plan.FREE:
            self.move("plan_grant", f"plan-grant-{month}", limits(Plan.FREE).monthly_grant)
        return True

    def change_plan(self, plan: Plan, now: int) -> None:
        """Another plan reaches the wallet; the month begins with it, without a grant, and its calls count on."""
        if plan is not self.plan:
            self.turn(now, by_call=False)
            self.plan = plan

    def refusal(self, service: str, amount: int) -> str | None:
        """With what a call is refused."""
        if self.calls_left(service) < 1:
            return "quota_exceeded"
        if self.left < amount:
            return "insufficient_credits"
        return "budget_exceeded" if self.budget_left < amount else None

    def calls_left(self, service: str) -> int:
        """Calls of a service that are left in the month."""
        return max(0, limits(self.plan).monthly_quotas[service] - self.calls[service])

    @property
    def budget_left(self) -> int:
        """What may still be held in the month."""
        return UNLIMITED**2 if self.budget is None else self.budget - self.spent - self.in_flight

    @property
    def in_flight(self) -> int:
        """Micro-credits that calls hold."""
        return sum(call.amount for call in self.held.values())

    def hold(self, call: ExpectedCall) -> None:
        """A call begins."""
        self.held[call.call_id] = call
        self.left -= call.amount
        self.calls[call.service] += 1

    def settle(self, call_id: str, cost: int | None) -> None:
        """A call ends: it cost so much, or failed (None), and counts in no quota then."""
        call = self.held.pop(call_id)
        self.left += call.amount - (cost or 0)
        if cost is None:
            self.calls[call.service] -= call.month == self.month
            return
        self.charges[call_id] = cost
        self.spent += cost
        self.spent_ever += cost
