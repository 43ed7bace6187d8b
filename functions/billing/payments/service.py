"""Purchases: orders are written before the gateway is asked, and settled by what it says.

Raises Unavailable when DynamoDB does not answer.
"""

from dataclasses import dataclass, replace

from callmissed.audit.events import Actor, AuditEvent, audit_operation
from callmissed.aws.dynamodb import TransactionCanceled, Unavailable
from callmissed.clock import MINUTE, Clock, Micros, iso
from callmissed.errors import ApiError, invalid_request
from callmissed.money import CREDIT, MicroCredits, show_rupees
from callmissed.plans.plans import Plan
from callmissed.plans.price_lists import price_list
from callmissed.tenants.tenants import get_tenant
from callmissed.tenants.users import get_user
from functions.billing.payments.errors import already_completed, gateway_failed, order_expired
from functions.billing.payments.gateway import Customer, GatewayError, GatewayPayment, PaymentGateway
from functions.billing.payments.records import MAX_ATTEMPTS, UNPAID, CheckoutSession, Order, OrderKind
from functions.billing.payments.repository import Orders
from functions.billing.payments.settlement import OrderSettlement
from functions.billing.subscriptions.service import PlanSubscriptions

_SESSION_EXPIRES = 30 * MINUTE
"""When the gateway closes an attempt: it wants more than 15 minutes, and may be asked until `SESSION_LIFETIME`."""

_FIRST_LOOK = 3 * MINUTE
_TRIES = 6
_PLAN_ORDER_LIFETIME = 24 * 60 * MINUTE
"""How long an order of a plan can be paid: its price is that of the moment at which it was made."""


@dataclass(frozen=True, slots=True)
class Buyer:
    """Who buys, and under which id: a repeated request has the same one."""

    tenant: str
    user_id: str
    actor: Actor
    order_id: str


class Payments:
    """The purchases of one stage."""

    def __init__(
        self,
        orders: Orders,
        gateway: PaymentGateway,
        settlement: OrderSettlement,
        subscriptions: PlanSubscriptions,
        clock: Clock,
        console_url: str = "",
    ) -> None:
        self._orders = orders
        self._gateway = gateway
        self._settlement = settlement
        self._subscriptions = subscriptions
        self._clock = clock
        self._console_url = console_url

    @property
    def environment(self) -> str:
        """The gateway's. Raises ApiError 503 without one."""
        return self._gateway.environment

    async def order_credits(self, buyer: Buyer, count: int) -> Order:
        """An order of `count` credits with a session to pay it. Raises ApiError 400, 502, 503."""
        prices = price_list(self._clock())
        try:
            offer = prices.credits(count)
        except ValueError as error:
            raise invalid_request(f"{str(error).capitalize()}.", "credits") from error
        tenant = await get_tenant(self._orders.database, buyer.tenant, consistent=True)
        now = self._clock()
        order = Order(
            order_id=buyer.order_id,
            tenant=buyer.tenant,
            user_id=buyer.user_id,
            kind=OrderKind.CREDIT_TOPUP,
            amount=offer.price,
            plan_from=str(tenant.plan),
            plan_to=f"topup_{offer.credits}",
            credits=MicroCredits(offer.credits * CREDIT),
            price_version=prices.version,
            tax_basis_points=prices.tax_basis_points,
            created=now,
            session=CheckoutSession(1, now),
            due=iso(Micros(now + _FIRST_LOOK)),
        )
        return await self._opened(await self._created(order, buyer.actor))

    async def order_plan(self, buyer: Buyer, plan: Plan) -> Order:
        """An order of a period of `plan` with a session to pay it. Raises ApiError 400, 502, 503."""
        now = self._clock()
        offer = await self._subscriptions.offer(buyer.tenant, plan)
        order = Order(
            order_id=buyer.order_id,
            tenant=buyer.tenant,
            user_id=buyer.user_id,
            kind=OrderKind.PLAN_UPGRADE,
            amount=offer.amount,
            plan_from=str(offer.plan_from),
            plan_to=str(plan),
            credits=offer.credits,
            price_version=offer.prices.version,
            tax_basis_points=offer.prices.tax_basis_points,
            created=now,
            session=CheckoutSession(1, now),
            due=iso(Micros(now + _FIRST_LOOK)),
            full_price=offer.full_price,
            unused_of=offer.unused_of,
        )
        return await self._opened(await self._created(order, buyer.actor))

    async def verify(self, tenant: str, order_id: str) -> Order:
        """The order as the gateway has it. Raises ApiError 404, 409, 502, 503."""
        order = await self._orders.get(tenant, order_id)
        return await self.refresh(order) if order.status in UNPAID else order

    async def retry(self, tenant: str, order_id: str) -> Order:
        """The order with a session that is live. Raises ApiError 400 for a completed one, 404, 409, 502, 503."""
        order = await self._orders.get(tenant, order_id)
        if order.status not in UNPAID:
            raise already_completed()
        if order.session.is_live(self._clock()):
            return order
        too_old = bool(order.plan) and self._clock() - order.created > _PLAN_ORDER_LIFETIME
        if too_old or order.session.number >= MAX_ATTEMPTS:
            raise order_expired()
        order = await self._opened(await self.refresh(order))
        if order.status not in UNPAID:
            raise already_completed()
        return order

    async def history(self, tenant: str, limit: int) -> list[Order]:
        """The tenant's orders, newest first."""
        return await self._orders.newest(tenant, limit)

    async def refresh(self, order: Order) -> Order:
        """Settle an unpaid order by the gateway's payments of all its attempts. Raises ApiError 409, 502, 503."""
        found: list[GatewayPayment] = []
        try:
            for gateway_order in order.gateway_orders:
                found += await self._gateway.payments(gateway_order)
        except GatewayError as error:
            raise gateway_failed() from error
        return await self._settlement.apply_all(order, found)

    async def _created(self, order: Order, actor: Actor) -> Order:
        """Write the order; an earlier run of the same request may have written it."""
        bought = {"amount": show_rupees(order.amount), "currency": order.currency, "for": order.plan_to}
        event = AuditEvent(order.tenant, "payment.order", "order", order.order_id, actor, bought)
        try:
            await self._orders.create(order, [audit_operation(event, order.created)])
        except TransactionCanceled:
            return await self._orders.get(order.tenant, order.order_id)
        return order

    async def _opened(self, order: Order) -> Order:
        """The order with a live session at the gateway. Raises ApiError 502, 503: the order stays, to be retried."""
        for _ in range(_TRIES):
            now, session = self._clock(), order.session
            if order.status not in UNPAID or session.is_live(now):
                return order
            if session.is_old(now):  # written before the gateway is asked: every attempt is known, and looked after
                session = CheckoutSession(session.number + 1, now)
            else:
                session = await self._asked(order)
            look = Micros(now + _FIRST_LOOK)
            if await self._orders.change_session(order, session, look):
                order = replace(order, session=session, due=iso(look))
            else:  # paid, or opened by another request
                order = await self._orders.get(order.tenant, order.order_id)
        raise Unavailable("the order kept changing", indeterminate=False)

    async def _asked(self, order: Order) -> CheckoutSession:
        """The order's attempt as the gateway opened it; a repeat asks for the same, and gets the same."""
        attempt = order.session
        try:
            opened = await self._gateway.create_order(
                order.gateway_order,
                order.amount,
                order.currency,
                await self._customer(order),
                expires=Micros(attempt.created + _SESSION_EXPIRES),
                return_url=self._return_url(order),
            )
        except GatewayError as error:
            raise gateway_failed() from error
        return replace(attempt, session_id=opened.session_id, reference=opened.reference)

    async def _customer(self, order: Order) -> Customer:
        try:
            user = await get_user(self._orders.database, order.tenant, order.user_id)
        except ApiError:  # the person has left; the order is the tenant's
            return Customer(order.tenant, "", "", "")
        return Customer(order.tenant, user.full_name, user.email, user.phone_number)

    def _return_url(self, order: Order) -> str:
        return f"{self._console_url.rstrip('/')}/billing?order_id={order.order_id}" if self._console_url else ""
