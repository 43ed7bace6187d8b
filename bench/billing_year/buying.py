"""Tenants buy: in each way that a payment can go, and what its callback can do."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from bench.billing_year.plan_model import DAY, ExpectedOrder, credits_of, price
from bench.billing_year.tenants import YearTenant
from bench.billing_year.year import Year
from callmissed.clock import MINUTE, system_clock
from callmissed.errors import ApiError
from callmissed.money import CREDIT
from callmissed.plans.plans import Plan
from callmissed.plans.price_lists import price_list

HOUR = 60 * MINUTE
_CREDITS = (100, 100, 100, 500, 500, 1_000, 37, 250)
_RETRIED, _SWEPT = 20 * MINUTE, 3 * MINUTE

Way = Callable[[Year, YearTenant, ExpectedOrder], Awaitable[None]]


async def buy_pack(year: Year, tenant: YearTenant) -> None:
    """Order credits, and pay them somehow."""
    count = tenant.draw.choice(_CREDITS)
    amount, credits = _pack(count)
    order = ExpectedOrder(tenant.new_id(), amount, credits * CREDIT)
    tenant.orders[order.order_id] = order
    buyer = year.buyer(tenant, order.order_id)
    payments = year.product.purchases.payments
    found = await year.product.attempt(lambda: payments.order_credits(buyer, count))
    year.expect("price", tenant, (found.amount, found.credits), (order.amount, order.credits))
    way = tenant.draw.choice([*WAYS])
    year.did(f"pack, {way}")
    await WAYS[way](year, tenant, order)


async def order_plan(year: Year, tenant: YearTenant, plan: Plan) -> ExpectedOrder | None:
    """Order a period of a plan; None where it can't be."""
    tenant.advance(year.now)
    model, renews = tenant.plan, tenant.plan.may_renew(year.now) and plan is (tenant.plan.follows or tenant.plan.plan)
    amount, unused = model.price_of(plan, year.now), 0 if renews else model.unused(year.now)
    order = ExpectedOrder(
        order_id=tenant.new_id(),
        amount=amount or 0,
        credits=credits_of(plan, is_first=plan not in model.had),
        plan=plan,
        full_price=price(plan),
        unused_of=model.start if unused else None,
    )
    buyer = year.buyer(tenant, order.order_id)
    try:
        found = await year.product.attempt(lambda: year.product.purchases.payments.order_plan(buyer, plan))
    except ApiError as refused:
        year.did("plan, refused")
        year.expect("refused plan", tenant, (refused.code, amount), ("invalid_request_error", None))
        return None
    tenant.orders[order.order_id] = order
    wanted = (order.amount, order.credits, order.full_price, order.unused_of)
    year.expect("price", tenant, (found.amount, found.credits, found.full_price, found.unused_of), wanted)
    return order


async def buy_plan(year: Year, tenant: YearTenant, plan: Plan, what: str) -> None:
    """Order a plan, and pay it in a way that is not late, lest what it brings is not known."""
    order = await order_plan(year, tenant, plan)
    if order is None:
        return
    year.did(what)
    is_near = any(moment < year.now + HOUR for moment in tenant.plan.boundaries(year.now))
    way = "callback" if is_near else tenant.draw.choice(PLAN_WAYS)
    year.did(f"plan, {way}")
    await WAYS[way](year, tenant, order)


async def pay(year: Year, tenant: YearTenant, order: ExpectedOrder) -> None:
    """Pay the first session, and let the callback come."""
    await year.product.deliver(*act(year, order.order_id, "pay"))
    await settled(year, tenant, order)


async def redeem(year: Year, tenant: YearTenant) -> None:
    """Redeem a coupon; each tenant may do so twice with each."""
    code, credits = tenant.draw.choice([*COUPONS.items()])
    order = ExpectedOrder(tenant.new_id(), 0, credits * CREDIT)
    buyer = year.buyer(tenant, order.order_id)
    used_up, outcome = tenant.coupons[code] >= 2, "redeemed"
    try:
        await year.product.attempt(lambda: year.product.coupons.redeem(buyer, code.lower(), year.product.now))
    except ApiError as refused:
        outcome = refused.code
    year.expect("coupon", tenant, outcome, "not_found" if used_up else "redeemed")
    year.did(f"coupon, {'refused' if used_up else 'redeemed'}")
    if outcome == "redeemed":
        tenant.coupons[code] += 1
        order.is_paid, order.granted = True, order.credits
        tenant.orders[order.order_id] = order
        credited(year, tenant, "coupon", order)


def act(year: Year, gateway_order: str, action: str) -> list[Mapping[str, Any]]:
    """Do something at the gateway; returns its callbacks."""
    year.product.cashfree.act(gateway_order, action)
    return year.product.purchases.callbacks()


async def settled(year: Year, tenant: YearTenant, order: ExpectedOrder) -> None:
    """The product knows that the order is paid."""
    if order.plan is None:
        order.is_paid, order.granted = True, order.credits
        credited(year, tenant, "purchase", order)
        return
    order.is_paid = tenant.plan.pay(order, year.now)
    year.did("plan, paid" if order.is_paid else "plan, given back")
    tenant.follow(year.now)
    await year.check_plan(tenant)


def credited(year: Year, tenant: YearTenant, kind: str, order: ExpectedOrder) -> None:
    """Credits have come; a debt is paid first."""
    if tenant.money.left < 0:
        year.did("debt, paid")
    tenant.money.move(kind, order.order_id, order.granted)


def _pack(count: int) -> tuple[int, int]:
    """Paise and whole credits."""
    prices = price_list(system_clock())
    for pack in prices.packs:
        if pack.credits == count:
            return pack.price, pack.credits + pack.bonus
    return count * prices.custom_price, count


async def _callback(year: Year, tenant: YearTenant, order: ExpectedOrder) -> None:
    await pay(year, tenant, order)


async def _doubled(year: Year, tenant: YearTenant, order: ExpectedOrder) -> None:
    callbacks = act(year, order.order_id, "pay")
    await year.product.deliver(*callbacks, *callbacks)
    await settled(year, tenant, order)


async def _late(year: Year, tenant: YearTenant, order: ExpectedOrder) -> None:
    callbacks = act(year, order.order_id, "pay")
    tenant.doubts["late"] += 1

    async def arrive() -> None:
        await year.product.deliver(*callbacks)
        tenant.doubts["late"] -= 1
        await settled(year, tenant, order)

    year.later(tenant.draw.uniform(HOUR, 2 * DAY), arrive)


async def _never(year: Year, tenant: YearTenant, order: ExpectedOrder) -> None:
    act(year, order.order_id, "pay")
    tenant.doubts["never"] += 1

    async def sweep() -> None:
        await year.product.sweep_orders()
        tenant.doubts["never"] -= 1
        await settled(year, tenant, order)

    year.later(_SWEPT, sweep)


async def _verified(year: Year, tenant: YearTenant, order: ExpectedOrder) -> None:
    act(year, order.order_id, "pay")
    payments = year.product.purchases.payments
    await year.product.attempt(lambda: payments.verify(tenant.tenant_id, order.order_id))
    await settled(year, tenant, order)


async def _failed_first(year: Year, tenant: YearTenant, order: ExpectedOrder) -> None:
    await year.product.deliver(*act(year, order.order_id, "fail"))
    await pay(year, tenant, order)


async def _abandoned(year: Year, tenant: YearTenant, order: ExpectedOrder) -> None:
    callbacks = act(year, order.order_id, "drop")
    if tenant.draw.random() < 0.5:
        await year.product.deliver(*callbacks)


async def _retried(year: Year, tenant: YearTenant, order: ExpectedOrder) -> None:
    """The session gets old; the order gets a new one, and either is paid."""
    tenant.doubts["retried"] += 1

    async def retry() -> None:
        tenant.doubts["retried"] -= 1
        payments = year.product.purchases.payments
        found = await year.product.attempt(lambda: payments.retry(tenant.tenant_id, order.order_id))
        order.gateway_order = tenant.draw.choice([order.order_id, found.gateway_order])
        await year.product.deliver(*act(year, order.gateway_order, "pay"))
        await settled(year, tenant, order)

    year.later(_RETRIED, retry)


async def _twice(year: Year, tenant: YearTenant, order: ExpectedOrder) -> None:
    await year.product.deliver(*act(year, order.order_id, "pay_twice"))
    await settled(year, tenant, order)


async def _twice_unheard(year: Year, tenant: YearTenant, order: ExpectedOrder) -> None:
    await year.product.deliver(act(year, order.order_id, "pay_twice")[0])
    await settled(year, tenant, order)


WAYS: dict[str, Way] = {
    "callback": _callback,
    "doubled": _doubled,
    "late": _late,
    "never": _never,
    "verified": _verified,
    "failed first": _failed_first,
    "abandoned": _abandoned,
    "retried": _retried,
    "paid twice": _twice,
    "paid twice unheard": _twice_unheard,
}
PLAN_WAYS = ("callback", "callback", "doubled", "never", "verified", "failed first", "retried", "paid twice")
COUPONS = {"WELCOME": 5, "SPRING": 25}
