"""Refunds in DynamoDB. Every method raises Unavailable when DynamoDB does not answer."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

from callmissed.aws.comparisons import at_most
from callmissed.aws.database import Database
from callmissed.aws.operations import WriteOperation, put_operation, update_operation
from callmissed.clock import Micros, iso
from callmissed.ledger.entries import EntryType
from callmissed.ledger.grants import grant_operations, was_applied
from callmissed.ledger.returns import return_operations
from callmissed.money import NOTHING, MicroCredits, Paise
from callmissed.platform.tables import BILLING, BILLING_DUE
from functions.billing.payments.records import Order, OrderStatus, order_key
from functions.billing.payments.refund_records import (
    REFUND_SHARDS,
    Refund,
    RefundState,
    new_refund_operation,
    refund_key,
    refund_of,
    refund_record,
)
from functions.billing.subscriptions.service import plan_grant_id


class StoredRefunds:
    """The refunds of one stage, each with its share of the order's sums and of the tenant's credits."""

    def __init__(self, database: Database) -> None:
        self.database = database

    async def find(self, order_id: str, refund_id: str) -> Refund | None:
        """The refund, strongly consistent."""
        item = await self.database.get(BILLING, refund_key(order_id, refund_id))
        return refund_of(item) if item else None

    async def due(self, now: Micros) -> AsyncIterator[Refund]:
        """The refunds that are due at `now`."""
        for shard in REFUND_SHARDS:
            async for key in self.database.query(BILLING, shard, index=BILLING_DUE, sort=at_most(iso(now))):
                item = await self.database.get(BILLING, {"id": key["id"], "item": key["item"]})
                refund = refund_of(item) if item else None
                if refund is not None and refund.due and refund.due <= iso(now):
                    yield refund

    async def granted(self, order: Order) -> MicroCredits:
        """The credits that the order brought: a renewal of a plan brings them when its period begins."""
        if order.plan and not await was_applied(self.database, order.tenant, plan_grant_id(order.order_id)):
            return NOTHING
        return order.credits

    async def look_again(self, refund: Refund, moment: Micros) -> None:
        """Put the refund into the index `due` at `moment`, if it is due as it was read."""
        key = refund_key(refund.order_id, refund.refund_id)
        await self.database.update_if(BILLING, key, set={"due": iso(moment)}, expected={"due": refund.due})

    async def create(self, order: Order, refund: Refund, now: Micros, also: Sequence[WriteOperation] = ()) -> None:
        """Write the refund and return its credits, in one transaction with `also`.

        Raises TransactionCanceled where the refund exists, or the order has changed since it was read.
        """
        credits = await self._credit_operations(refund, now, taken=True)
        counted = _order_operation(order, refund, None)
        await self.database.transact([new_refund_operation(refund), *counted, *credits, *also])

    async def change(self, order: Order, before: Refund, after: Refund, now: Micros) -> None:
        """Write the refund as it is `after`, with what follows for the order's sums and the credits.

        Raises TransactionCanceled where refund or order have changed since they were read.
        """
        expected = {"state": str(before.state), "attempt": before.attempt, "tries": before.tries, "turn": before.turn}
        operations: list[WriteOperation] = []
        if _is_taken(before) != _is_taken(after):
            after = replace(after, turn=before.turn + 1)
            operations += await self._credit_operations(after, now, taken=_is_taken(after))
        if before.state is not after.state:
            operations += _order_operation(order, after, before)
        written = put_operation(BILLING, refund_record(after), expected=expected)
        await self.database.transact([written, *operations])

    async def _credit_operations(self, refund: Refund, now: Micros, *, taken: bool) -> list[WriteOperation]:
        if not refund.credits:
            return []
        move = return_operations if taken else grant_operations
        return await move(
            self.database,
            refund.tenant,
            refund.credits,
            f"{refund.order_id} {refund.refund_id} {refund.turn}",
            now,
            kind=EntryType.REFUND,
            reference=refund.order_id,
            description=f"Refund of {refund.order_id}" if taken else f"Refund of {refund.order_id} failed",
        )


def _is_taken(refund: Refund) -> bool:
    return refund.state is not RefundState.FAILED


def _order_operation(order: Order, refund: Refund, before: Refund | None) -> list[WriteOperation]:
    """Add the refund, as it is now and not as it was `before`, to the order's sums."""
    if not refund.counted:
        return []
    was_taken = before is not None and _is_taken(before)
    was_paid = before is not None and before.state is RefundState.SUCCEEDED
    taken = int(_is_taken(refund)) - int(was_taken)
    refunded = Paise(order.refunded + taken * refund.counted)
    returned = MicroCredits(order.returned + taken * refund.credits)
    paid = int(refund.state is RefundState.SUCCEEDED) - int(was_paid)
    paid_back = Paise(order.paid_back + paid * refund.counted)
    status = OrderStatus.REFUNDED if paid_back >= order.amount else order.status
    return [
        update_operation(
            BILLING,
            order_key(order.order_id),
            set={"refunded": refunded, "returned": returned, "paid_back": paid_back, "status": str(status)},
            expected={
                "status": str(order.status),
                "refunded": order.refunded,
                "returned": order.returned,
                "paid_back": order.paid_back,
            },
        )
    ]
