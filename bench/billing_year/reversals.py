"""Money that goes back: by operators, in the gateway's dashboard, by banks."""

from bench.billing_year.buying import HOUR, act
from bench.billing_year.plan_model import DAY, ExpectedOrder
from bench.billing_year.tenants import YearTenant
from bench.billing_year.year import Year
from callmissed.money import Paise
from local.fakes.cashfree.state import FakeOrder, FakeRefund
from tests.support.billing.purchases import OPERATOR

_ALL_TRIES = 10 * DAY
_TRIES = 7


async def refund(year: Year, tenant: YearTenant, order: ExpectedOrder, bank: str) -> None:
    """An operator pays an order back, or a part of it; the bank pays at once, later, at a second try, or never."""
    left = order.amount - order.refunded
    part = tenant.draw.randint(1, left) if tenant.draw.random() < 0.5 else left
    fake = year.product.cashfree.order(order.gateway_order)
    fake.refund_status = {"pays": "SUCCESS", "reverses": "SUCCESS", "fails": "FAILED"}.get(bank, "PENDING")
    credits = taken(year, tenant, order, part)
    name, paise = f"r{len(fake.refunds)}", None if part == left else Paise(part)
    refunds = year.product.purchases.composition.operator_refunds
    order.is_closed = bank != "pays" or part == left
    await year.product.attempt(lambda: refunds.refund(order.order_id, name, paise, OPERATOR), gateway=bank == "pays")
    await year.check_plan(tenant)
    callbacks = year.product.purchases.callbacks()
    year.did(f"refund, {'all' if part == left else 'part'}")
    year.did(f"refund, bank {bank}")
    if bank == "fails":
        await _never_paid(year, tenant, order, part, credits)
        return
    if tenant.draw.random() < 0.7:
        await year.product.deliver(*callbacks)
    if bank == "pays":
        order.pay_back(part)
    else:
        await _decided_later(year, tenant, order, part, credits, bank)


async def refund_there(year: Year, tenant: YearTenant, order: ExpectedOrder) -> None:
    """Somebody refunds the order in the gateway's dashboard."""
    order.is_closed = True
    callbacks = act(year, order.gateway_order, "refund")
    year.did("refund, dashboard")
    await year.product.deliver(*callbacks, *callbacks)
    taken(year, tenant, order, order.amount)
    order.pay_back(order.amount)
    await year.check_plan(tenant)


async def dispute(year: Year, tenant: YearTenant, order: ExpectedOrder) -> None:
    """A buyer disputes the payment; days later the bank decides."""
    order.is_closed = True
    await year.product.deliver(*act(year, order.gateway_order, "dispute"))
    outcome = tenant.draw.choice(("lost", "lost", "won"))

    async def decided() -> None:
        await year.product.deliver(*act(year, order.gateway_order, f"dispute_{outcome}"))
        year.did(f"dispute, {outcome}")
        if outcome == "lost":
            taken(year, tenant, order, order.amount)
            order.lost = order.amount
            order.pay_back(order.amount)
        await year.check_plan(tenant)

    year.later(tenant.draw.uniform(1, 6) * DAY, decided)


def taken(year: Year, tenant: YearTenant, order: ExpectedOrder, paise: int) -> int:
    """The expected effect of a refund, once the product knows of it; returns the credits that are taken."""
    if order.plan and order.refunded + paise >= order.amount:
        year.did("plan, paid back")
        tenant.plan.pay_back(order, year.now)
        tenant.follow(year.now)
    credits = order.share(paise)
    order.refunded += paise
    order.returned += credits
    tenant.money.move("refund", order.order_id, -credits)
    if tenant.money.left < 0:
        year.did("debt, made")
    return credits


async def _decided_later(
    year: Year, tenant: YearTenant, order: ExpectedOrder, part: int, credits: int, bank: str
) -> None:
    """The bank decides a refund that it left open, or takes back what it had decided."""
    fake = year.product.cashfree.order(order.gateway_order)
    gateway_refund = list(fake.refunds)[-1]

    async def decide() -> None:
        fake.refund_status = "SUCCESS"
        status = "SUCCESS" if bank == "pays later" else "FAILED"
        year.product.cashfree.decide_refund(order.gateway_order, gateway_refund, status)
        callbacks = year.product.purchases.callbacks()
        if bank == "reverses":
            await year.product.deliver(*callbacks, *callbacks)
            given_back(tenant, order, part, credits)
            return
        order.pay_back(part)
        if tenant.draw.random() < 0.6:
            await year.product.deliver(*callbacks)

    if bank == "reverses":
        order.pay_back(part)
        year.later(2 * DAY, decide)
    else:
        year.later(tenant.draw.uniform(2 * HOUR, 30 * HOUR), decide)


async def _never_paid(year: Year, tenant: YearTenant, order: ExpectedOrder, part: int, credits: int) -> None:
    """The bank refuses every try, so the credits are given back in the end."""
    tenant.doubts["refund"] += 1
    fake = year.product.cashfree.order(order.gateway_order)

    async def ended() -> None:
        tenant.doubts["refund"] -= 1
        year.expect("tries of a refund", tenant, len(_failed(fake)), _TRIES)
        order.paid_back += part
        given_back(tenant, order, part, credits)

    year.later(_ALL_TRIES, ended)


def given_back(tenant: YearTenant, order: ExpectedOrder, part: int, credits: int) -> None:
    """The expected effect of a refund that was not paid in the end."""
    order.refunded -= part
    order.paid_back -= part
    order.returned -= credits
    tenant.money.move("refund", order.order_id, credits)


def candidates(year: Year, tenant: YearTenant) -> list[ExpectedOrder]:
    """Orders whose money may go back: each was paid once."""
    orders = (order for order in tenant.orders.values() if order.is_paid and not order.is_closed and order.amount)
    return [order for order in orders if len(_successes(year, order)) == 1]


def _successes(year: Year, order: ExpectedOrder) -> list[str]:
    payments = year.product.cashfree.order(order.gateway_order).payments
    return [payment.payment_id for payment in payments if payment.status == "SUCCESS"]


def _failed(order: FakeOrder) -> list[FakeRefund]:
    return [refund for refund in order.refunds.values() if refund.status == "FAILED"]
