"""Expected plan of one tenant: its periods, what it may order and at which price, by docs/billing.md."""

from dataclasses import dataclass, field
from fractions import Fraction

from bench.billing_year.months import months_later
from callmissed.clock import MINUTE, Micros
from callmissed.plans.plans import Plan, limits

DAY = 24 * 60 * MINUTE
RENEWABLE, GRACE = 7 * DAY, 3 * DAY
PLANS = (Plan.FREE, Plan.STARTER, Plan.PRO, Plan.ENTERPRISE)
"""The lowest first."""

_MIN_PAISE = 100
_NEVER = Micros(0)


@dataclass
class ExpectedOrder:
    """An order as it was agreed, and what became of it. Amounts are paise, credits micro-credits.

    `gateway_order` is the attempt that was paid, `lost` what a bank took. Nothing happens to one that `is_closed`.
    """

    order_id: str
    amount: int
    credits: int
    plan: Plan | None = None
    full_price: int = 0
    unused_of: Micros | None = None
    is_paid: bool = False
    granted: int = 0
    refunded: int = 0
    paid_back: int = 0
    returned: int = 0
    gateway_order: str = ""
    lost: int = 0
    is_closed: bool = False
    is_refunded: bool = False

    def __post_init__(self) -> None:
        self.gateway_order = self.gateway_order or self.order_id

    def pay_back(self, paise: int) -> None:
        """Money has gone back. An order of which all did stays refunded for ever."""
        self.paid_back += paise
        self.is_refunded = self.is_refunded or self.paid_back >= self.amount

    def share(self, paise: int) -> int:
        """Credits that go back with the next paise: of all refunds their share rounded down."""
        return int(Fraction(self.granted) * (self.refunded + paise) / self.amount) - self.returned


@dataclass(frozen=True)
class ExpectedPeriod:
    """A period of a paid plan, as it begins. `order_id` is empty where an operator gave it."""

    plan: Plan
    start: Micros
    end: Micros
    credits: int
    order_id: str = ""

    @property
    def reference(self) -> str:
        """What its entry in the ledger refers to."""
        return self.order_id or f"plan_grant_{self.start}"


@dataclass
class ExpectedPlan:
    """The plan at a moment. A tenant on the free plan has neither a period nor an end."""

    plan: Plan = Plan.FREE
    anchor: Micros = _NEVER
    number: int = 0
    paid_until: Micros | None = None
    bought: ExpectedOrder | None = None
    renewal: ExpectedOrder | None = None
    follows: Plan | None = None
    had: set[Plan] = field(default_factory=lambda: {Plan.FREE})
    periods: list[ExpectedPeriod] = field(default_factory=list[ExpectedPeriod])
    lapses: int = 0

    @property
    def is_free(self) -> bool:
        """Whether it is the free plan."""
        return self.plan is Plan.FREE

    @property
    def start(self) -> Micros:
        """Start of the current period."""
        return months_later(self.anchor, self.number)

    @property
    def end(self) -> Micros:
        """End of the current period."""
        return months_later(self.anchor, self.number + 1)

    @property
    def last_moment(self) -> Micros | None:
        """When the plan ends unless something more is paid."""
        if self.paid_until is None:
            return None
        return Micros(self.paid_until + (GRACE if self.bought else 0))

    def boundaries(self, now: int) -> list[Micros]:
        """Moments after `now` at which something may happen by itself."""
        if self.is_free:
            return []
        return [moment for moment in (self.end, self.last_moment) if moment is not None and moment > now]

    def advance(self, now: int) -> None:
        """Let everything happen that is due."""
        while not self.is_free and self._step(now):
            pass

    def price_of(self, plan: Plan, now: int) -> int | None:
        """Paise of a period of `plan`, ordered now; None where it can't be ordered."""
        if self.may_renew(now) and plan is (self.follows or self.plan):
            return price(plan)
        return max(_MIN_PAISE, price(plan) - self.unused(now)) if is_above(plan, self.plan) else None

    def may_renew(self, now: int) -> bool:
        """Whether one more period may be ordered."""
        until, last = self.paid_until, self.last_moment
        if self.bought is None or until is None or last is None or self.renewal:
            return False
        return until - RENEWABLE <= now < last

    def unused(self, now: int) -> int:
        """Paise that are paid and not used: the rest of this period, and all of the next."""
        if self.bought is None or self.paid_until is None or now >= self.paid_until:
            return 0
        rest = Fraction(max(0, self.end - now), self.end - self.start)
        return int(self.bought.full_price * min(rest, Fraction(1))) + (self.renewal.full_price if self.renewal else 0)

    def pay(self, order: ExpectedOrder, now: int) -> bool:
        """What a payment of the order brings; False where it can bring nothing any more."""
        self.advance(now)
        plan = order.plan or Plan.FREE
        if self.may_renew(now) and plan in (self.plan, self.follows or self.plan):
            self.renewal, self.paid_until = order, months_later(self.anchor, self.number + 2)
            self.advance(now)
            return True
        if not is_above(plan, self.plan) or order.unused_of not in (None, self.start):
            return False
        self._begin(order, Micros(now))
        return True

    def give(self, plan: Plan, until: Micros | None, now: int) -> None:
        """An operator puts the tenant on a plan."""
        self.advance(now)
        if plan is Plan.FREE:
            self._end()
            return
        is_new = plan is not self.plan
        self.paid_until, self.bought, self.renewal, self.follows = until, None, None, None
        if is_new:
            self.plan, self.anchor, self.number = plan, Micros(now), 0
            self._granted()

    def schedule(self, plan: Plan, now: int) -> None:
        """A lower plan follows at the end; with the own one, none does."""
        self.advance(now)
        self.follows = None if plan is self.plan else plan

    def pay_back(self, order: ExpectedOrder, now: int) -> None:
        """All money of an order goes back: what it paid ends."""
        self.advance(now)
        if self.renewal is order:
            self.renewal, self.paid_until = None, self.end
        elif self.bought is order and self.renewal:
            self._begin(self.renewal, Micros(now))
        elif self.bought is order:
            self._end()
        self.advance(now)

    def _step(self, now: int) -> bool:
        last = self.last_moment
        if now < self.end and (last is None or now < last):
            return False
        if self.renewal:
            self._renewed(self.renewal)
        elif self.follows and now >= (self.paid_until or self.end):
            self._followed(self.follows)
        elif last is not None and now >= last:
            self.lapses += 1
            self._end()
        elif self.bought is None:
            self.number += 1
            self._granted()
        else:
            return False
        return True

    def _renewed(self, order: ExpectedOrder) -> None:
        if order.plan is not self.plan:
            self.follows = None
        self.plan, self.number = order.plan or self.plan, self.number + 1
        self.bought, self.renewal = order, None
        self._began(order.credits, order)

    def _followed(self, plan: Plan) -> None:
        if plan is Plan.FREE or self.bought is None:
            self._end()
        else:
            self.plan, self.follows = plan, None

    def _begin(self, order: ExpectedOrder, now: Micros) -> None:
        self.plan, self.anchor, self.number = order.plan or self.plan, now, 0
        self.paid_until = months_later(now, 1)
        self.bought, self.renewal, self.follows = order, None, None
        self._began(order.credits, order)

    def _granted(self) -> None:
        self._began(credits_of(self.plan, is_first=self.plan not in self.had), None)

    def _began(self, credits: int, order: ExpectedOrder | None) -> None:
        self.had.add(self.plan)
        self.periods.append(ExpectedPeriod(self.plan, self.start, self.end, credits, order.order_id if order else ""))
        if order:
            order.granted = credits

    def _end(self) -> None:
        self.plan, self.number, self.paid_until = Plan.FREE, 0, None
        self.bought = self.renewal = self.follows = None


def price(plan: Plan) -> int:
    """Full price in paise."""
    return limits(plan).monthly_price_inr * 100


def credits_of(plan: Plan, *, is_first: bool) -> int:
    """Credits of a period: more come with the tenant's first one of the plan."""
    found = limits(plan)
    return (found.first_grant or found.monthly_grant) if is_first else found.monthly_grant


def is_above(plan: Plan, other: Plan) -> bool:
    """Whether a plan is higher than another."""
    return PLANS.index(plan) > PLANS.index(other)
