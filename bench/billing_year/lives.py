"""What tenants do all year: each has a character, which says how often it does what."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial

from bench.billing_year import calls, plans
from bench.billing_year.buying import buy_pack, order_plan, redeem
from bench.billing_year.money_model import ExpectedMoney
from bench.billing_year.months import calendar_month, first_of_next_month
from bench.billing_year.plan_model import DAY
from bench.billing_year.reversals import candidates, dispute, refund, refund_there
from bench.billing_year.tenants import YearTenant
from bench.billing_year.year import Year
from callmissed.clock import MINUTE, SECOND, Micros, iso
from callmissed.keys.policy import KeyPolicy
from callmissed.keys.secret import Mode
from callmissed.ledger.entries import EntryType
from callmissed.ledger.grants import grant, signup_bonus_operations
from callmissed.ledger.returns import take_back
from callmissed.money import CREDIT, MicroCredits
from callmissed.plans.plans import Plan
from callmissed.tenants.tenants import Tenant, create_tenant_operations
from functions.billing.budgets.service import Budgets
from tests.support.billing.purchases import ACTOR

Deed = Callable[[Year, YearTenant], Awaitable[None]]
_OWN_RATE = 7
_BONUS = MicroCredits(20 * CREDIT)
_BANKS = ("pays", "pays", "pays later", "pays at a second try", "fails", "reverses")


@dataclass(frozen=True)
class Character:
    """How a tenant decides about its plan, and how often it does what. `days` are between its deeds, at most."""

    deeds: Mapping[str, int]
    wishes: Mapping[str, int] | None = None
    days: float = 8.0


async def sign_up(year: Year, tenant: YearTenant) -> None:
    """A tenant comes, on the free plan; some have a bonus."""
    now, bonus = year.product.now, _BONUS if tenant.draw.random() < 0.5 else MicroCredits(0)
    record = Tenant(tenant.tenant_id, tenant.character, Plan.FREE, iso(now))
    operations = create_tenant_operations(record, now, bonus=bonus)
    if bonus:
        operations += signup_bonus_operations(tenant.tenant_id, bonus, tenant.tenant_id, now)
        year.did("signed up, with a bonus")
    await year.product.plain.transact(operations)
    tenant.money = ExpectedMoney(calendar_month(now))
    tenant.money.move("signup_bonus", "signup-bonus", bonus)
    for rate in (None, _OWN_RATE):
        key = await year.product.keys.create(
            tenant.tenant_id, name="key", mode=Mode.LIVE, policy=KeyPolicy(rpm=rate), now=now
        )
        tenant.keys[key.record.key_id] = rate
    year.tenants.append(tenant)
    year.did("signed up")
    _begin_life(year, tenant)


def _begin_life(year: Year, tenant: YearTenant) -> None:
    character = CHARACTERS[tenant.character]
    if character.wishes:
        year.later(MINUTE, partial(plans.begin, year, tenant))
    if tenant.character == "given":
        year.later(tenant.draw.uniform(2, 20) * DAY, partial(_given, year, tenant))
    year.later(tenant.draw.uniform(0.1, character.days) * DAY, partial(_live, year, tenant))
    year.agenda.at(first_of_next_month(year.now) + tenant.draw.randrange(20) * SECOND, partial(_early, year, tenant))


def on_period(year: Year, tenant: YearTenant) -> None:
    """Decide what follows a period."""
    wishes = CHARACTERS[tenant.character].wishes
    if wishes and not year.is_over:
        plans.decide(year, tenant, wishes)


async def _live(year: Year, tenant: YearTenant) -> None:
    """Do something, and go on living."""
    if year.is_over:
        return
    character = CHARACTERS[tenant.character]
    deed = tenant.draw.choices([*character.deeds], [*character.deeds.values()])[0]
    await DEEDS[deed](year, tenant)
    year.later(tenant.draw.uniform(0.1, character.days) * DAY, partial(_live, year, tenant))


async def _early(year: Year, tenant: YearTenant) -> None:
    """Call at the start of a month, by one in two before the schedule has turned it."""
    if year.is_over:
        return
    if tenant.draw.random() < 0.5:
        await calls.call(year, tenant, CREDIT // 10)
    year.agenda.at(first_of_next_month(year.now) + tenant.draw.randrange(20) * SECOND, partial(_early, year, tenant))


async def _given(year: Year, tenant: YearTenant) -> None:
    """An operator gives another plan."""
    if year.is_over:
        return
    before = tenant.plan.plan
    plan = tenant.draw.choice([each for each in (*Plan, Plan.ENTERPRISE, Plan.ENTERPRISE) if each is not before])
    until = Micros(int(year.now + tenant.draw.uniform(20, 80) * DAY)) if tenant.draw.random() < 0.5 else None
    await plans.give(year, tenant, plan, None if plan is Plan.FREE else until)
    if before is Plan.ENTERPRISE:
        year.did("enterprise, left")
    year.later(tenant.draw.uniform(15, 60) * DAY, partial(_given, year, tenant))


async def _budget(year: Year, tenant: YearTenant) -> None:
    """An owner changes the budget, also below what is spent."""
    budget = tenant.draw.choice([None, None, None, 0, 10, 100, 1_000, 1_000])
    wanted = None if budget is None else MicroCredits(budget * CREDIT)
    budgets = Budgets(year.product.purchases.database)
    await year.product.attempt(lambda: budgets.change(tenant.tenant_id, wanted, ACTOR, year.product.now))
    tenant.money.budget = wanted
    year.did("budget")


async def _adjust(year: Year, tenant: YearTenant) -> None:
    """An operator corrects the balance."""
    amount, name = MicroCredits(tenant.draw.randint(1, 9 * CREDIT)), tenant.new_id("adjustment")
    move, sign = (grant, 1) if tenant.draw.random() < 0.5 else (take_back, -1)
    await year.product.attempt(
        lambda: move(
            year.product.purchases.database,
            tenant=tenant.tenant_id,
            amount=amount,
            operation_id=name,
            now=year.product.now,
            kind=EntryType.ADMIN,
        )
    )
    tenant.money.move("admin", name, sign * amount)
    year.did("adjusted")


async def _refund(year: Year, tenant: YearTenant) -> None:
    orders = candidates(year, tenant)
    if orders:
        order = tenant.draw.choice(orders[-4:])
        is_new = not year.product.cashfree.order(order.gateway_order).refunds
        await refund(year, tenant, order, tenant.draw.choice(_BANKS) if is_new else "pays")


async def _elsewhere(year: Year, tenant: YearTenant) -> None:
    """A refund or a dispute that nobody here began."""
    orders = [order for order in candidates(year, tenant) if not order.refunded]
    if orders:
        await tenant.draw.choice((refund_there, dispute))(year, tenant, tenant.draw.choice(orders[-4:]))


async def _begin(year: Year, tenant: YearTenant) -> None:
    if CHARACTERS[tenant.character].wishes:
        await plans.begin(year, tenant)


async def _refused(year: Year, tenant: YearTenant) -> None:
    """Order the free plan, which nobody can."""
    if not tenant.plan.is_free:
        await order_plan(year, tenant, Plan.FREE)


async def _exhaust(year: Year, tenant: YearTenant) -> None:
    may_call = tenant.is_sure and min(tenant.money.left, tenant.money.budget_left) >= 0
    if tenant.plan.is_free and may_call and not year.done["call, quota_exceeded"]:
        await calls.exhaust(year, tenant)


DEEDS: dict[str, Deed] = {
    "pack": buy_pack,
    "spend": calls.spend,
    "spend all": calls.spend_all,
    "lose": calls.lose,
    "coupon": redeem,
    "budget": _budget,
    "adjust": _adjust,
    "refund": _refund,
    "elsewhere": _elsewhere,
    "begin": _begin,
    "refused": _refused,
    "exhaust": _exhaust,
}
_SOME = {"pack": 3, "spend": 6, "coupon": 1, "lose": 1, "refund": 1, "adjust": 1}
CHARACTERS = {
    "free": Character({**_SOME, "exhaust": 1, "coupon": 3}),
    "steady": Character({**_SOME, "refused": 1}, plans.CAREFUL),
    "restless": Character({**_SOME, "begin": 3}, plans.RESTLESS),
    "given": Character({**_SOME, "spend": 8, "spend all": 2, "budget": 1}),
    "refunded": Character(
        {"pack": 4, "spend": 2, "spend all": 3, "refund": 4, "elsewhere": 2, "begin": 1}, plans.CAREFUL
    ),
    "lapsing": Character({**_SOME, "begin": 2, "refund": 2}, {"lapse": 3, "renew in grace": 2, "renew early": 1}),
    "budgeted": Character({**_SOME, "budget": 3, "spend": 8}),
    "climbing": Character(
        {**_SOME, "begin": 2}, {"upgrade": 4, "renew early": 2, "downgrade": 2, "prepaid downgrade": 3}
    ),
    "disputed": Character({**_SOME, "elsewhere": 3, "begin": 3, "spend all": 2}, plans.RESTLESS),
    "mixed": Character(dict.fromkeys(DEEDS, 2), plans.RESTLESS),
}
