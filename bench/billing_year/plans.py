"""What tenants do with their plans: each period is followed by a decision that its tenant's character draws."""

from collections.abc import Awaitable, Callable, Mapping

from bench.billing_year.buying import HOUR, buy_plan, order_plan, pay
from bench.billing_year.plan_model import DAY, PLANS, ExpectedPeriod
from bench.billing_year.tenants import YearTenant
from bench.billing_year.year import Year
from callmissed.clock import MINUTE, Micros
from callmissed.plans.plans import Plan
from tests.support.billing.purchases import ACTOR, OPERATOR

Decision = Callable[[Year, YearTenant, ExpectedPeriod], None]
CAREFUL = {"renew early": 6, "renew in grace": 5, "prepaid downgrade": 1, "taken back": 1, "stale": 1}
RESTLESS = {
    "renew early": 2,
    "renew in grace": 1,
    "lapse": 2,
    "upgrade": 4,
    "upgrade twice": 1,
    "downgrade": 2,
    "prepaid downgrade": 2,
    "downgrade to free": 1,
    "taken back": 1,
    "stale": 1,
}


def decide(year: Year, tenant: YearTenant, wishes: Mapping[str, int]) -> None:
    """Draw what follows the period that has just begun, if it was bought."""
    period = tenant.plan.periods[-1]
    if tenant.plan.bought is None or tenant.plan.is_free:
        return
    wish = tenant.draw.choices([*wishes], [*wishes.values()])[0]
    DECISIONS[wish](year, tenant, period)


async def begin(year: Year, tenant: YearTenant) -> None:
    """A tenant on the free plan buys one."""
    if tenant.plan.is_free and not year.is_over:
        await buy_plan(year, tenant, tenant.draw.choice((Plan.STARTER, Plan.STARTER, Plan.PRO)), "plan, begun")


async def give(year: Year, tenant: YearTenant, plan: Plan, until: Micros | None) -> None:
    """An operator gives a plan."""
    subscriptions = year.product.subscriptions
    await year.product.attempt(lambda: subscriptions.give(tenant.tenant_id, plan, until, OPERATOR))
    tenant.plan.give(plan, until, year.now)
    tenant.follow(year.now)
    year.did(f"given, {plan}")
    await year.check_plan(tenant)


async def schedule(year: Year, tenant: YearTenant, plan: Plan) -> None:
    """An owner schedules a plan for the end."""
    subscriptions = year.product.subscriptions
    await year.product.attempt(lambda: subscriptions.schedule(tenant.tenant_id, plan, ACTOR))
    tenant.plan.schedule(plan, year.now)
    tenant.follow(year.now)
    await year.check_plan(tenant)


def below(plan: Plan) -> Plan:
    """The next lower plan."""
    return PLANS[max(0, PLANS.index(plan) - 1)]


def above(plan: Plan) -> Plan:
    """The next higher plan."""
    return PLANS[min(len(PLANS) - 1, PLANS.index(plan) + 1)]


def _at(
    year: Year,
    tenant: YearTenant,
    period: ExpectedPeriod,
    between: tuple[int, int],
    work: Callable[[], Awaitable[object]],
) -> None:
    """Let work happen at some moment, if the period is still the tenant's last one and nothing follows it."""

    async def check_and_work() -> None:
        tenant.advance(year.now)
        model = tenant.plan
        is_open = not model.is_free and model.bought and not model.renewal and not year.is_over
        if model.periods[-1] is period and is_open:
            await work()

    year.agenda.at(int(tenant.draw.uniform(*between)), check_and_work)


def _early(period: ExpectedPeriod) -> tuple[int, int]:
    return period.end - 7 * DAY + MINUTE, period.end - HOUR


def _grace(period: ExpectedPeriod) -> tuple[int, int]:
    return period.end + HOUR, period.end + 3 * DAY - HOUR


def _middle(period: ExpectedPeriod) -> tuple[int, int]:
    return period.start + 2 * DAY, period.end - 8 * DAY


def _renew_early(year: Year, tenant: YearTenant, period: ExpectedPeriod) -> None:
    _at(year, tenant, period, _early(period), lambda: _renew(year, tenant, "renewed early"))


def _renew_in_grace(year: Year, tenant: YearTenant, period: ExpectedPeriod) -> None:
    _at(year, tenant, period, _grace(period), lambda: _renew(year, tenant, "renewed in grace"))


async def _renew(year: Year, tenant: YearTenant, what: str) -> None:
    await buy_plan(year, tenant, tenant.plan.follows or tenant.plan.plan, f"plan, {what}")


def _lapse(_year: Year, _tenant: YearTenant, _period: ExpectedPeriod) -> None:
    """Nothing more is paid."""


def _upgrade(year: Year, tenant: YearTenant, period: ExpectedPeriod) -> None:
    if period.plan is Plan.ENTERPRISE:
        _renew_early(year, tenant, period)
        return

    async def upgrade() -> None:
        await buy_plan(year, tenant, above(tenant.plan.plan), "plan, upgraded")

    _at(year, tenant, period, _middle(period), upgrade)


def _upgrade_twice(year: Year, tenant: YearTenant, period: ExpectedPeriod) -> None:
    """Two people order the same upgrade, and both pay."""
    if period.plan is Plan.ENTERPRISE:
        return

    async def upgrade() -> None:
        plan = above(tenant.plan.plan)
        orders = [await order_plan(year, tenant, plan) for _ in range(2)]
        year.did("plan, upgraded twice")
        for order in orders:
            if order is not None:
                await pay(year, tenant, order)

    _at(year, tenant, period, _middle(period), upgrade)


def _downgrade(year: Year, tenant: YearTenant, period: ExpectedPeriod) -> None:
    """A lower plan is scheduled, and paid in its grace."""

    async def plan_ahead() -> None:
        year.did("downgrade, scheduled")
        await schedule(year, tenant, below(tenant.plan.plan))
        _at(year, tenant, period, _grace(period), lambda: _renew(year, tenant, "downgraded in grace"))

    _at(year, tenant, period, _middle(period), plan_ahead)


def _prepaid_downgrade(year: Year, tenant: YearTenant, period: ExpectedPeriod) -> None:
    """A lower plan is scheduled, and paid before the end."""

    async def plan_ahead() -> None:
        if period.plan is Plan.STARTER:
            _renew_early(year, tenant, period)
            return
        await schedule(year, tenant, below(tenant.plan.plan))
        _at(year, tenant, period, _early(period), lambda: _renew(year, tenant, "downgrade prepaid"))

    _at(year, tenant, period, _middle(period), plan_ahead)


def _downgrade_to_free(year: Year, tenant: YearTenant, period: ExpectedPeriod) -> None:
    async def plan_ahead() -> None:
        year.did("downgrade, to free")
        await schedule(year, tenant, Plan.FREE)

    _at(year, tenant, period, _middle(period), plan_ahead)


def _taken_back(year: Year, tenant: YearTenant, period: ExpectedPeriod) -> None:
    """A downgrade is scheduled, and cancelled."""

    async def plan_ahead() -> None:
        await schedule(year, tenant, below(tenant.plan.plan))
        await schedule(year, tenant, tenant.plan.plan)
        year.did("downgrade, taken back")
        _renew_early(year, tenant, period)

    _at(year, tenant, period, _middle(period), plan_ahead)


def _stale(year: Year, tenant: YearTenant, period: ExpectedPeriod) -> None:
    """The period is renewed; then an upgrade is ordered just before its end, and paid after it: too late."""
    _at(year, tenant, period, _early(period), lambda: _renew(year, tenant, "renewed early"))
    if period.plan is Plan.ENTERPRISE:
        return

    async def order_late() -> None:
        tenant.advance(year.now)
        if tenant.plan.periods[-1] is period and tenant.plan.renewal and not year.is_over:
            order = await order_plan(year, tenant, above(tenant.plan.plan))
            if order is not None:
                year.did("plan, paid too late")
                year.agenda.at(period.end + HOUR, lambda: pay(year, tenant, order))

    year.agenda.at(period.end - HOUR // 2, order_late)


DECISIONS: dict[str, Decision] = {
    "renew early": _renew_early,
    "renew in grace": _renew_in_grace,
    "lapse": _lapse,
    "upgrade": _upgrade,
    "upgrade twice": _upgrade_twice,
    "downgrade": _downgrade,
    "prepaid downgrade": _prepaid_downgrade,
    "downgrade to free": _downgrade_to_free,
    "taken back": _taken_back,
    "stale": _stale,
}
