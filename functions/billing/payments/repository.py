"""Purchase orders in DynamoDB. Every method raises Unavailable when DynamoDB does not answer."""

from collections.abc import AsyncIterator, Sequence

from callmissed.aws.comparisons import at_most, equal, missing_or, one_of
from callmissed.aws.database import Database
from callmissed.aws.operations import WriteOperation, put_new_operation, put_operation, update_operation
from callmissed.clock import MINUTE, Micros, iso
from callmissed.errors import ApiError
from callmissed.platform.tables import BILLING, BILLING_DUE, BILLING_OF_TENANT
from functions.billing.payments.records import (
    DUE_SHARDS,
    UNPAID,
    CheckoutSession,
    Order,
    OrderStatus,
    PaymentState,
    StoredPayment,
    due_at,
    order_key,
    order_of,
    payment_key,
    payment_record,
    session_record,
    to_order_record,
)

_LAST_LOOK = 24 * 60 * MINUTE
"""A paid order is looked at once more: it may have been paid twice, and the second payment's callback may be lost."""


class Orders:
    """The purchase orders of one stage."""

    def __init__(self, database: Database) -> None:
        self.database = database

    async def find(self, order_id: str) -> Order | None:
        """The order, strongly consistent, whoever's it is."""
        item = await self.database.get(BILLING, order_key(order_id))
        return order_of(item) if item else None

    async def get(self, tenant: str, order_id: str) -> Order:
        """The tenant's order. Raises ApiError 404, also for another tenant's."""
        order = await self.find(order_id)
        if order is None or order.tenant != tenant:
            raise ApiError(404, "not_found", "No such order.")
        return order

    async def create(self, order: Order, also: Sequence[WriteOperation]) -> None:
        """Write the order and `also`, in one transaction. Raises TransactionCanceled where it exists."""
        await self.database.transact([create_operation(order), *also])

    async def change_session(self, order: Order, session: CheckoutSession, look: Micros) -> bool:
        """Give the order this session, and look after it at `look`, if it is unpaid and still at `order.session`."""
        return await self.database.update_if(
            BILLING,
            order_key(order.order_id),
            set={"session": session_record(session), **due_at(order.order_id, look)},
            expected={"session": session_record(order.session), **_UNPAID},
        )

    async def look_again(self, order: Order, moment: Micros | None) -> None:
        """Put the order into the index `due` at `moment`, or out of it, if it is due as it was read."""
        key = order_key(order.order_id)
        if moment is None:
            await self.database.update_if(BILLING, key, remove=("due", "shard"), expected={"due": order.due})
        else:
            await self.database.update_if(BILLING, key, set=due_at(order.order_id, moment), expected={"due": order.due})

    async def payment(self, order_id: str, payment_id: str) -> PaymentState | None:
        """What became of the payment; None for one that was not seen."""
        item = await self.database.get(BILLING, payment_key(order_id, payment_id))
        return PaymentState(item["state"]) if item else None

    async def newest(self, tenant: str, limit: int) -> list[Order]:
        """At most `limit` (100) of the tenant's orders, newest first, eventually consistent."""
        page = await self.database.page(BILLING, tenant, index=BILLING_OF_TENANT, newest_first=True, limit=limit)
        keys = [order_key(key["id"]) for key in page.items]
        return [order_of(item) for item in await self.database.get_all(BILLING, keys)] if keys else []

    async def due(self, now: Micros) -> AsyncIterator[Order]:
        """The orders that are due at `now`."""
        for shard in DUE_SHARDS:
            query = self.database.query(BILLING, shard, index=BILLING_DUE, sort=at_most(iso(now)))
            async for key in query:
                order = await self.find(key["id"])
                if order is not None and order.due and order.due <= iso(now):
                    yield order


def create_operation(order: Order) -> WriteOperation:
    """Write an order that does not exist."""
    return put_new_operation(BILLING, to_order_record(order))


def payment_operation(payment: StoredPayment) -> WriteOperation:
    """Write a payment that was not seen before, or only as one that failed."""
    again = missing_or(equal(str(PaymentState.FAILED)))
    return put_operation(BILLING, payment_record(payment), expected={"state": again})


def settled_operation(order: Order, payment: StoredPayment) -> WriteOperation:
    """Mark an unpaid order as paid by `payment`: once for ever, because no state leads back."""
    return update_operation(
        BILLING,
        order_key(order.order_id),
        set={
            "status": str(OrderStatus.PAID),
            "payment_id": payment.payment_id,
            "paid_order": payment.gateway_order,
            "payment_method": payment.method,
            "paid": payment.seen,
            **due_at(order.order_id, Micros(payment.seen + _LAST_LOOK)),
        },
        expected=_UNPAID,
    )


def closed_operation(order: Order, status: OrderStatus) -> WriteOperation:
    """Mark an order as FAILED or EXPIRED, if it is unpaid."""
    return update_operation(BILLING, order_key(order.order_id), set={"status": str(status)}, expected=_UNPAID)


_UNPAID = {"status": one_of(*map(str, UNPAID))}
