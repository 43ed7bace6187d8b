"""Settlement: what a payment at the gateway does to its order, once for ever.

Callbacks, `verify` and the sweep call `OrderSettlement.apply` with payments as the gateway shows them, in any order and
any number of times. A payment that succeeded is credited in one transaction: the order is paid, the entry written, the
wallet raised, the event published. The transaction's condition is that the order is unpaid, and no state leads back
there.

Money was taken, so a success is credited whatever came before it: a failure, or the order's expiry. A second success,
of another payment, is given back, as is one for a plan that the tenant can't change to any more. An amount that differs
from the order's by more than a paisa grants nothing.
"""

from collections.abc import Sequence

from callmissed.aws.dynamodb import DynamoError, TransactionCanceled, Unavailable
from callmissed.aws.operations import WriteOperation
from callmissed.clock import Clock, Micros
from callmissed.errors import ApiError
from callmissed.events.outbox import new_event, publish_operation
from callmissed.events.types import EventData, PaymentFailed, PaymentSucceeded
from callmissed.ledger.entries import EntryType
from callmissed.ledger.grants import grant_operations
from callmissed.money import rupees
from callmissed.observability import count, get_logger
from callmissed.plans.plans import Plan
from functions.billing.payments.errors import amount_mismatch
from functions.billing.payments.gateway import GatewayPayment, PaymentStatus
from functions.billing.payments.records import UNPAID, Order, OrderStatus, PaymentState, StoredPayment
from functions.billing.payments.refund_records import surplus_operation
from functions.billing.payments.repository import (
    Orders,
    closed_operation,
    payment_operation,
    settled_operation,
)
from functions.billing.subscriptions.records import PlanPurchase
from functions.billing.subscriptions.service import PlanSubscriptions

_TRIES = 6
_MAX_DIFFERENCE = 1
"""Paise."""

_logger = get_logger("payments")


class OrderSettlement:
    """Settles the orders of one stage. Raises Unavailable."""

    def __init__(self, orders: Orders, subscriptions: PlanSubscriptions, clock: Clock) -> None:
        self._orders = orders
        self._subscriptions = subscriptions
        self._clock = clock

    async def apply(self, order: Order, payment: GatewayPayment) -> Order:
        """The order after `payment`. Raises ApiError 409 for a success over another amount than the order's."""
        if payment.status is PaymentStatus.PENDING:
            return order
        for _ in range(_TRIES):
            state = await self._orders.payment(order.order_id, payment.payment_id)
            outcome = _outcome(order, payment)
            if state is None or (state is PaymentState.FAILED and outcome is not PaymentState.FAILED):
                state = await self._write(order, payment, outcome)
                if state is None:
                    order = await self._orders.get(order.tenant, order.order_id)
                    continue
                if state is PaymentState.SETTLED and order.plan:
                    await self._apply_plan(order)
            if state is PaymentState.MISMATCH:
                raise amount_mismatch()
            return await self._orders.get(order.tenant, order.order_id)
        raise Unavailable("the order kept changing", indeterminate=False)

    async def apply_all(self, order: Order, payments: Sequence[GatewayPayment]) -> Order:
        """The order after all `payments`, the successful ones first: they decide. Raises as `apply`, at the end."""
        refused: ApiError | None = None
        for payment in sorted(payments, key=lambda each: each.status is not PaymentStatus.SUCCEEDED):
            try:
                order = await self.apply(order, payment)
            except ApiError as error:  # another payment may have the right amount
                refused = error
        if refused is not None and order.status in UNPAID:
            raise refused
        return order

    async def _write(self, order: Order, payment: GatewayPayment, outcome: PaymentState) -> PaymentState | None:
        """Write the payment and what follows from it; None when order, payment or plan changed meanwhile."""
        now = self._clock()
        granted = await self._granted(order, now) if outcome is PaymentState.SETTLED else []
        stored = StoredPayment(
            order_id=order.order_id,
            payment_id=payment.payment_id,
            state=PaymentState.SURPLUS if granted is None else outcome,
            amount=payment.amount,
            currency=payment.currency,
            method=payment.method,
            seen=now,
            gateway_order=payment.gateway_order,
        )
        operations = [payment_operation(stored), *_consequences(order, payment, stored, granted or (), now)]
        _report(order, stored.state)  # before the write: a process that dies after it has rung
        try:
            await self._orders.database.transact(operations)
        except TransactionCanceled:
            return None
        return stored.state

    async def _granted(self, order: Order, now: Micros) -> list[WriteOperation] | None:
        """What a paid order brings; None where it can bring that no longer."""
        if order.plan:
            purchase = PlanPurchase(order.order_id, Plan(order.plan), order.full_price, order.credits)
            return await self._subscriptions.purchase_operations(order.tenant, purchase, order.unused_of, now)
        description = f"Credit top-up ({order.whole_credits} credits)"
        return await grant_operations(
            self._orders.database,
            order.tenant,
            order.credits,
            order.order_id,
            now,
            kind=EntryType.PURCHASE,
            description=description,
        )

    async def _apply_plan(self, order: Order) -> None:
        """Let a bought plan reach all keys; the sweep does what is left."""
        try:
            await self._subscriptions.advance(order.tenant)
        except (DynamoError, ApiError):
            _logger.warning("a plan is not applied yet", extra={"order": order.order_id}, exc_info=True)


def _outcome(order: Order, payment: GatewayPayment) -> PaymentState:
    if payment.status is PaymentStatus.FAILED:
        return PaymentState.FAILED
    if abs(payment.amount - order.amount) > _MAX_DIFFERENCE or payment.currency != order.currency:
        return PaymentState.MISMATCH
    return PaymentState.SETTLED if order.status in UNPAID else PaymentState.SURPLUS


def _consequences(
    order: Order, payment: GatewayPayment, stored: StoredPayment, granted: Sequence[WriteOperation], now: Micros
) -> list[WriteOperation]:
    if stored.state is PaymentState.SETTLED:
        return [settled_operation(order, stored), *granted, _event(order, _succeeded(order), now, "paid")]
    if stored.state is PaymentState.SURPLUS:
        closed = [closed_operation(order, OrderStatus.EXPIRED)] if order.status in UNPAID else []
        return [surplus_operation(order, stored, now), *closed]
    if stored.state is PaymentState.MISMATCH or order.status not in (OrderStatus.PENDING, OrderStatus.FAILED):
        return []
    failed = _failed(order, payment.reason)
    return [closed_operation(order, OrderStatus.FAILED), _event(order, failed, now, payment.payment_id)]


def _event(order: Order, data: EventData, now: Micros, unique: str) -> WriteOperation:
    return publish_operation(new_event(order.tenant, data, now, unique=f"{order.order_id} {unique}"))


def _succeeded(order: Order) -> PaymentSucceeded:
    return PaymentSucceeded(
        order_id=order.order_id,
        amount=rupees(order.amount),
        currency=order.currency,
        plan=order.plan,
        credits=order.whole_credits or None,
    )


def _failed(order: Order, reason: str) -> PaymentFailed:
    return PaymentFailed(
        order_id=order.order_id,
        amount=rupees(order.amount),
        currency=order.currency,
        plan=order.plan,
        credits=order.whole_credits or None,
        reason=reason or None,
    )


def _report(order: Order, outcome: PaymentState) -> None:
    """Ring for what people must see to."""
    if outcome is PaymentState.MISMATCH:
        count("PaymentMismatch")
        _logger.error("a payment has another amount than its order", extra={"order": order.order_id})
    if outcome is PaymentState.SURPLUS:
        _logger.warning("an order was paid twice", extra={"order": order.order_id})
