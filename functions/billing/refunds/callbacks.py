"""Callbacks about refunds and disputes.

A callback says that something has changed; the gateway is asked what became of a refund. Raises GatewayError,
UnprocessableError and Unavailable: the callback comes again.
"""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

from callmissed.clock import Clock, Micros, iso, micros_at
from callmissed.errors import ApiError
from callmissed.integrations.callbacks import UnprocessableError
from callmissed.observability import count, get_logger
from functions.billing.payments.cashfree_answers import (
    amount_of,
    readable,
    refund_of,
    report_unknown_status,
    text_of,
)
from functions.billing.payments.gateway import GatewayRefund, RefundStatus
from functions.billing.payments.records import UNPAID, Order, PaymentState, order_of_gateway
from functions.billing.payments.refund_records import (
    Refund,
    RefundOrigin,
    RefundState,
    refund_of_gateway,
    surplus_id,
)
from functions.billing.payments.repository import Orders
from functions.billing.payments.service import Payments
from functions.billing.refunds.disputes import Dispute, DisputeOutcome, Disputes, Ruling
from functions.billing.refunds.repository import StoredRefunds
from functions.billing.refunds.service import Refunds, report_returned_twice

Process = Callable[[Any], Awaitable[None]]

_INDIA = timezone(timedelta(hours=5, minutes=30))

_logger = get_logger("refund-callbacks")


class RefundCallbacks:
    """Processes the gateway's callbacks about refunds and disputes in one stage. Processing is idempotent."""

    def __init__(
        self,
        orders: Orders,
        payments: Payments,
        stored: StoredRefunds,
        refunds: Refunds,
        disputes: Disputes,
        clock: Clock,
    ) -> None:
        self._orders = orders
        self._payments = payments
        self._stored = stored
        self._refunds = refunds
        self._disputes = disputes
        self._clock = clock

    @property
    def processes(self) -> Mapping[str, Process]:
        """What processes the data of a callback, by its type."""
        return {
            "REFUND_STATUS_WEBHOOK": lambda data: self._refund(data, "refund"),
            "AUTO_REFUND_STATUS_WEBHOOK": lambda data: self._refund(data, "auto_refund"),
            "DISPUTE_CREATED": self._dispute,
            "DISPUTE_UPDATED": self._dispute,
            "DISPUTE_CLOSED": lambda data: self._dispute(data, closed=True),
        }

    async def _refund(self, data: Any, name: str) -> None:
        with readable():
            content = data[name]
            if name == "auto_refund" and not content.get("order_id"):  # money that came without an order
                _not_ours()
                return
            seen, payment_id = refund_of(content), text_of(content["cf_payment_id"])
        order = await self._order(seen.gateway_order)
        if order is None:
            return
        refund = await self._stored.find(order.order_id, refund_of_gateway(seen.refund_id))
        if refund is not None:
            await self._follow(refund, seen)
        elif seen.status is not RefundStatus.FAILED:
            await self._begun_there(order, payment_id, seen)

    async def _begun_there(self, order: Order, payment_id: str, seen: GatewayRefund) -> None:
        """A refund that we did not begin: by hand in the gateway's dashboard, or by the gateway."""
        order, surplus = await self._settled(order, payment_id)
        if surplus is not None:
            await self._refunds.returned_by_gateway(surplus, seen)
        if payment_id != order.payment_id:
            _logger.warning("a payment that was not credited goes back", extra={"order": order.order_id})
            return
        refund = Refund(
            order_id=order.order_id,
            refund_id=seen.refund_id,
            tenant=order.tenant,
            origin=RefundOrigin.GATEWAY,
            amount=seen.amount,
            gateway_order=seen.gateway_order,
            created=self._clock(),
            reason="Refunded at the payment gateway",
            due=iso(self._clock()),
        )
        await self._follow(await self._refunds.begin(refund, seen.amount, capped=True), seen)

    async def _dispute(self, data: Any, *, closed: bool = False) -> None:
        with readable():
            found = _dispute_of(data, self._clock())
        order = await self._order(found.gateway_order)
        if order is None:
            return
        if closed and found.is_known and found.outcome is DisputeOutcome.UNDECIDED:
            report_unknown_status("closed dispute", found.status)
        ruling = await self._disputes.record(found, self._clock())
        if not ruling.losses:
            return
        order, surplus = await self._settled(order, found.payment_id)
        if surplus is not None:
            await self._rule_surplus(surplus, found, ruling)
        elif found.payment_id == order.payment_id:
            await self._rule(order, found, ruling)

    async def _rule(self, order: Order, dispute: Dispute, ruling: Ruling) -> None:
        """The bank has taken the money back; or it had, and gave it to us again."""
        is_lost = ruling.outcome is DisputeOutcome.LOST
        names = [_name_of_loss(dispute.dispute_id, loss) for loss in range(1, ruling.losses + 1)]
        for name in names[:-1] if is_lost else names:
            earlier = await self._stored.find(order.order_id, name)
            if earlier is not None:
                await self._refunds.reverse(earlier)
        if not is_lost:
            return
        refund = Refund(
            order_id=order.order_id,
            refund_id=names[-1],
            tenant=order.tenant,
            origin=RefundOrigin.DISPUTE,
            amount=dispute.amount,
            gateway_order=dispute.gateway_order,
            created=self._clock(),
            reason="A dispute was lost",
            state=RefundState.SUCCEEDED,
        )
        refund = await self._refunds.begin(refund, dispute.amount, capped=True)
        if refund.counted < refund.amount:
            report_returned_twice(refund)

    async def _rule_surplus(self, surplus: Refund, dispute: Dispute, ruling: Ruling) -> None:
        """As `_rule`, for a payment that brought nothing: no credits move, and it is returned once."""
        if ruling.outcome is not DisputeOutcome.LOST:
            await self._refunds.not_returned_by_bank(surplus, dispute.dispute_id)
            return
        await self._refunds.returned_by_bank(surplus, dispute.dispute_id)
        if dispute.amount < surplus.amount:
            count("RefundMismatch")
            _logger.error("a bank has returned a part of a surplus", extra={"order": surplus.order_id})

    async def _follow(self, refund: Refund, seen: GatewayRefund) -> None:
        """Only the state that belongs to the latest attempt counts."""
        await self._refunds.follow(refund, seen if seen.refund_id == refund.gateway_refund else None)

    async def _order(self, gateway_order: str) -> Order | None:
        order = await self._orders.find(order_of_gateway(gateway_order))
        if order is None:
            _not_ours()
        return order

    async def _settled(self, order: Order, payment_id: str) -> tuple[Order, Refund | None]:
        """The order, and the payment's refund if that is surplus. This callback may have come before the payment's.

        Raises UnprocessableError.
        """
        state = await self._orders.payment(order.order_id, payment_id)
        if state is PaymentState.MISMATCH:  # nothing was granted for it, and people return it
            return order, None
        surplus = await self._stored.find(order.order_id, surplus_id(order.order_id, payment_id))
        if surplus is None and (order.status in UNPAID or state is None):
            order = await self._refreshed(order)
            surplus = await self._stored.find(order.order_id, surplus_id(order.order_id, payment_id))
        if surplus is None and order.status in UNPAID:
            raise UnprocessableError("the order is not paid")
        return order, surplus

    async def _refreshed(self, order: Order) -> Order:
        try:
            return await self._payments.refresh(order)
        except ApiError as refusal:
            raise UnprocessableError(f"the order can't be settled: {refusal.code}") from refusal


def _dispute_of(data: Any, now: Micros) -> Dispute:
    dispute, details = data["dispute"], data["order_details"]
    gateway_order = text_of(details["order_id"])
    return Dispute(
        order_id=order_of_gateway(gateway_order),
        dispute_id=text_of(dispute["dispute_id"]),
        payment_id=text_of(details["cf_payment_id"]),
        gateway_order=gateway_order,
        amount=amount_of(dispute["dispute_amount"]),
        status=text_of(dispute["dispute_status"]),
        updated=_moment(dispute.get("updated_at"), now),
    )


def _moment(text: Any, otherwise: Micros) -> Micros:
    """A time of the gateway's, which is India's where it names no zone. Raises ValueError, TypeError."""
    if not text:
        return otherwise
    moment = datetime.fromisoformat(text)
    return micros_at(moment if moment.tzinfo else moment.replace(tzinfo=_INDIA))


def _name_of_loss(dispute_id: str, loss: int) -> str:
    return f"dispute_{dispute_id}" if loss == 1 else f"dispute_{dispute_id}_{loss}"


def _not_ours() -> None:
    count("PaymentOfUnknownOrder")
    _logger.warning("a refund or dispute of an order that is not ours")
