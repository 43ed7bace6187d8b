"""Refunds in DynamoDB. Every method raises Unavailable when DynamoDB does not answer."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

from callmissed.aws.comparisons import at_most, begins_with
from callmissed.aws.database import Database
from callmissed.aws.operations import WriteOperation, put_operation, update_operation
from callmissed.clock import Micros, iso
from callmissed.ledger.entries import EntryType
from callmissed.ledger.grants import grant_operations, was_applied
from callmissed.ledger.returns import return_operations
from callmissed.money import NOTHING, MicroCredits
from callmissed.platform.tables import BILLING, BILLING_DUE
from functions.billing.payments.records import Order, OrderStatus, order_key
from functions.billing.payments.refund_records import (
    REFUND,
    REFUND_SHARDS,
    Refund,
    RefundOrigin,
    new_refund_operation,
    refund_key,
    refund_of,
    refund_record,
)
from functions.billing.refunds.shares import RefundChange, added, handed_over, is_taken
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
        change = RefundChange(None, refund)
        await self.database.transact([_write_operation(change), *_order_operations(order, [change]), *credits, *also])

    async def change(self, order: Order, before: Refund, after: Refund, now: Micros) -> None:
        """Write the refund as it is `after`, with what follows for the order's sums and the credits.

        The share of one that fails goes to refunds which were made elsewhere, as far as they were not counted.
        Raises TransactionCanceled where refund or order have changed since they were read.
        """
        changes = [RefundChange(before, after)]
        operations: list[WriteOperation] = []
        if is_taken(before) != is_taken(after):
            after = replace(after, turn=before.turn + 1)
            more: list[RefundChange] = []
            if is_taken(before):
                after, more = handed_over(after, await self.of(order.order_id))
            changes = [RefundChange(before, after), *more]
            operations += await self._credit_operations(after, now, taken=is_taken(after))
        if before.state is not after.state:
            operations += _order_operations(order, changes)
        written = [_write_operation(change) for change in changes]
        await self.database.transact([*written, *operations])

    async def of(self, order_id: str) -> list[Refund]:
        """The order's refunds, strongly consistent."""
        found = self.database.query(BILLING, order_id, sort=begins_with(REFUND), consistent=True)
        return [refund_of(item) async for item in found]

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


def _write_operation(change: RefundChange) -> WriteOperation:
    """Write a refund, if it is as it was read."""
    before, after = change
    if before is None:
        return new_refund_operation(after)
    names = ("attempt", "tries", "turn", "counted", "credits")
    expected = {"state": str(before.state), **{name: getattr(before, name) for name in names}}
    return put_operation(BILLING, refund_record(after), expected=expected)


def _order_operations(order: Order, changes: Sequence[RefundChange]) -> list[WriteOperation]:
    """Add the changes to the order's sums, if no other refund of it was written since the order was read.

    A surplus payment is none of the order's price.
    """
    if all(change.after.origin is RefundOrigin.SURPLUS for change in changes):
        return []
    more = added(changes)
    paid_back = order.paid_back + more.paid_back
    status = OrderStatus.REFUNDED if paid_back >= order.amount else order.status
    return [
        update_operation(
            BILLING,
            order_key(order.order_id),
            set={
                "refunded": order.refunded + more.refunded,
                "returned": order.returned + more.returned,
                "paid_back": paid_back,
                "status": str(status),
                "refund_changes": order.refund_changes + 1,
            },
            expected={"status": str(order.status), "refund_changes": order.refund_changes},
        )
    ]
