"""Callbacks about refunds and disputes.

A callback says that something has changed; the gateway is asked what became of a refund. Raises GatewayError,
UnprocessableError and Unavailable: the callback comes again.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from callmissed.clock import Clock, iso
from callmissed.errors import ApiError
from callmissed.integrations.callbacks import UnprocessableError
from callmissed.observability import count, get_logger
from functions.billing.payments.cashfree_answers import amount_of, readable, refund_of, text_of
from functions.billing.payments.gateway import GatewayRefund, RefundStatus
from functions.billing.payments.records import UNPAID, Order, order_of_gateway
from functions.billing.payments.refund_records import Refund, RefundOrigin, RefundState, refund_of_gateway
from functions.billing.payments.repository import Orders
from functions.billing.payments.service import Payments
from functions.billing.refunds.disputes import Dispute, Disputes
from functions.billing.refunds.repository import StoredRefunds
from functions.billing.refunds.service import Refunds

Process = Callable[[Any], Awaitable[None]]

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
        disputes = ("DISPUTE_CREATED", "DISPUTE_UPDATED", "DISPUTE_CLOSED")
        return {
            "REFUND_STATUS_WEBHOOK": lambda data: self._refund(data, "refund"),
            "AUTO_REFUND_STATUS_WEBHOOK": lambda data: self._refund(data, "auto_refund"),
            **dict.fromkeys(disputes, self._dispute),
        }

    async def _refund(self, data: Any, name: str) -> None:
        with readable():
            content = data[name]
            numbered = content if content.get("refund_id") else {**content, "refund_id": content["cf_refund_id"]}
            seen, payment_id = refund_of(numbered), text_of(content["cf_payment_id"])
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
        order = await self._paid(order)
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

    async def _dispute(self, data: Any) -> None:
        with readable():
            dispute, details = data["dispute"], data["order_details"]
            gateway_order = text_of(details["order_id"])
            found = Dispute(
                order_id=order_of_gateway(gateway_order),
                dispute_id=text_of(dispute["dispute_id"]),
                payment_id=text_of(details["cf_payment_id"]),
                gateway_order=gateway_order,
                amount=amount_of(dispute["dispute_amount"]),
                status=text_of(dispute["dispute_status"]),
            )
        order = await self._order(gateway_order)
        if order is None:
            return
        await self._disputes.record(found, self._clock())
        if found.is_lost:
            await self._lost(await self._paid(order), found)

    async def _lost(self, order: Order, dispute: Dispute) -> None:
        """The bank has taken the money back."""
        if dispute.payment_id != order.payment_id:
            return
        refund = Refund(
            order_id=order.order_id,
            refund_id=f"dispute_{dispute.dispute_id}",
            tenant=order.tenant,
            origin=RefundOrigin.DISPUTE,
            amount=dispute.amount,
            gateway_order=dispute.gateway_order,
            created=self._clock(),
            reason="A dispute was lost",
            state=RefundState.SUCCEEDED,
        )
        await self._refunds.follow(await self._refunds.begin(refund, dispute.amount, capped=True))

    async def _follow(self, refund: Refund, seen: GatewayRefund) -> None:
        """Only the state that belongs to the latest attempt counts."""
        await self._refunds.follow(refund, seen if seen.refund_id == refund.gateway_refund else None)

    async def _order(self, gateway_order: str) -> Order | None:
        order = await self._orders.find(order_of_gateway(gateway_order))
        if order is None:
            count("PaymentOfUnknownOrder")
            _logger.warning("a refund or dispute of an order that is not ours")
        return order

    async def _paid(self, order: Order) -> Order:
        """The order, settled: this callback may have come before the payment's. Raises UnprocessableError."""
        if order.status in UNPAID:
            try:
                order = await self._payments.refresh(order)
            except ApiError as refusal:
                raise UnprocessableError(f"the order can't be settled: {refusal.code}") from refusal
        if order.status in UNPAID:
            raise UnprocessableError("the order is not paid")
        return order
