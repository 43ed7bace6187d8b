"""Refunds by operators. Raises Unavailable when DynamoDB does not answer."""

from callmissed.audit.events import Actor, AuditEvent, audit_operation
from callmissed.aws.operations import WriteOperation
from callmissed.clock import MINUTE, Clock, Micros, iso
from callmissed.errors import ApiError
from callmissed.money import Paise, show_rupees
from callmissed.observability import get_logger
from functions.billing.payments.gateway import GatewayError, PaymentGateway
from functions.billing.payments.records import NO_MONEY, Order
from functions.billing.payments.refund_records import Refund, RefundOrigin, own_refund_id
from functions.billing.payments.repository import Orders
from functions.billing.refunds.errors import other_refund
from functions.billing.refunds.service import Refunds

_FIRST_LOOK = MINUTE

_logger = get_logger("refunds")


class OperatorRefunds:
    """Refunds that operators make in one stage."""

    def __init__(self, orders: Orders, refunds: Refunds, gateway: PaymentGateway, clock: Clock) -> None:
        self._orders = orders
        self._refunds = refunds
        self._gateway = gateway
        self._clock = clock

    async def refund(self, order_id: str, name: str, amount: Paise | None, actor: Actor) -> tuple[Refund, Order]:
        """Pay `amount` of an order back, by default all that is left, once for each `name`; and the order after it.

        The refund is PENDING when the gateway has not decided, or did not answer: it is followed.
        Raises ApiError 400 for an unpaid order or for more than is left, 404, 409 for a name with another amount, 503.
        """
        _ = self._gateway.environment  # before anything is written
        order, now = await self._order(order_id), self._clock()
        refund = await self._refunds.begin(
            self._new(order, name, actor), amount, [_audit(order, name, amount, actor, now)]
        )
        if amount is not None and amount != refund.amount:
            raise other_refund()
        try:
            refund = await self._refunds.follow(refund)
        except GatewayError as error:
            _logger.warning("a refund waits for the gateway", extra={"order": order_id, "why": str(error)})
        return refund, await self._order(order_id)

    def _new(self, order: Order, name: str, actor: Actor) -> Refund:
        now = self._clock()
        return Refund(
            order_id=order.order_id,
            refund_id=own_refund_id("operator", order.order_id, name),
            tenant=order.tenant,
            origin=RefundOrigin.OPERATOR,
            amount=NO_MONEY,
            gateway_order=order.paid_order,
            created=now,
            reason=actor.reason,
            due=iso(Micros(now + _FIRST_LOOK)),
        )

    async def _order(self, order_id: str) -> Order:
        order = await self._orders.find(order_id)
        if order is None:
            raise ApiError(404, "not_found", "No such order.")
        return order


def _audit(order: Order, name: str, amount: Paise | None, actor: Actor, now: Micros) -> WriteOperation:
    wanted = {"refund_id": name, "amount": "all" if amount is None else show_rupees(amount)}
    return audit_operation(AuditEvent(order.tenant, "payment.refund", "order", order.order_id, actor, wanted), now)
