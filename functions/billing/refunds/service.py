"""Refunds: the credits go back first, then the gateway is asked, and asked again until it has decided.

A refund is written in the transaction that takes its credits back and adds it to the order's sum, whose condition holds
the sum at what was paid. Its request to the gateway has a fixed id, so that it pays back once. Each later change of its
state is one transaction with what follows from it: a refund that fails gives the credits to the tenant again.

Raises Unavailable when DynamoDB does not answer.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from callmissed.aws.dynamodb import TransactionCanceled, Unavailable
from callmissed.aws.operations import WriteOperation
from callmissed.clock import MINUTE, Clock, Micros, iso
from callmissed.money import NOTHING, MicroCredits, Paise
from callmissed.observability import count, get_logger
from functions.billing.payments.gateway import (
    GatewayError,
    GatewayRefund,
    GatewayRefused,
    PaymentGateway,
    RefundStatus,
)
from functions.billing.payments.records import UNPAID, Order
from functions.billing.payments.refund_records import Refund, RefundOrigin, RefundState, is_own, refund_of_gateway
from functions.billing.payments.repository import Orders
from functions.billing.refunds.disputes import is_disputed
from functions.billing.refunds.errors import more_than_paid, not_paid
from functions.billing.refunds.repository import StoredRefunds

MAX_TRIES = 7
"""Times that the gateway may refuse or fail a refund, over about four days."""

_TRIES = 6
_FIRST_LOOK = 5 * MINUTE
_MAX_INTERVAL = 24 * 60 * MINUTE

EndPlan = Callable[[Order], Awaitable[None]]
"""Ends the plan that a refunded order bought. It may be called again for the same order."""

_logger = get_logger("refunds")


class Refunds:
    """The refunds of one stage."""

    def __init__(
        self,
        orders: Orders,
        stored: StoredRefunds,
        gateway: PaymentGateway,
        clock: Clock,
        *,
        end_plan: EndPlan | None = None,
    ) -> None:
        self._orders = orders
        self._stored = stored
        self._gateway = gateway
        self._clock = clock
        self._end_plan = end_plan

    async def begin(
        self, refund: Refund, amount: Paise | None, also: Sequence[WriteOperation] = (), *, capped: bool = False
    ) -> Refund:
        """Write the refund of `amount`, by default of all that is left, and take its credits back; once for its id.

        `capped`: the money goes back anyway, so of a larger amount only what is left counts.
        A plan whose order is refunded in full ends first. Raises ApiError 400 for an order that is not paid, and for
        more than is left.
        """
        for _ in range(_TRIES):
            order, earlier = await self._read(refund)
            if earlier is not None:
                return earlier
            try:
                new = _share(order, refund, amount, capped=capped)
                if order.plan and self._end_plan and order.refunded + new.counted >= order.amount:
                    await self._end_plan(order)  # before its credits are counted: no period may begin after that
                new = replace(new, credits=_credits(order, new.counted, await self._stored.granted(order)))
                await self._stored.create(order, new, self._clock(), also)
            except TransactionCanceled:
                continue
            return new
        raise Unavailable("the order kept changing", indeterminate=False)

    async def follow(self, refund: Refund, seen: GatewayRefund | None = None) -> Refund:
        """The refund as the gateway has it; one that it does not know is asked for. Raises GatewayError, ApiError 503.

        `seen` is what a callback said: it counts where the gateway shows nothing.
        """
        if refund.origin is RefundOrigin.DISPUTE or refund.dispute_id:
            return refund
        found = await self._gateway.find_refund(refund.gateway_order, refund.gateway_refund) or seen
        if found is None and refund.state is RefundState.PENDING and refund.origin is RefundOrigin.SURPLUS:
            found = await self._of_payment(refund)
            if found is None and await is_disputed(self._stored.database, refund.order_id, refund.payment_id):
                return await self._write(refund, replace(refund, due=self._after(_MAX_INTERVAL)))
        if found is None and refund.state is RefundState.PENDING and refund.origin is not RefundOrigin.GATEWAY:
            try:
                found = await self._asked(refund)
            except GatewayRefused:
                return await self._tried(refund, refund.attempt)
        return refund if found is None else await self._agreed(refund, found)

    async def reverse(self, refund: Refund) -> Refund:
        """The refund that a bank has taken back: it failed after all, and the tenant has its credits again."""
        if refund.state is not RefundState.SUCCEEDED:
            return refund
        return await self._write(refund, replace(refund, state=RefundState.FAILED))

    async def returned_by_gateway(self, refund: Refund, seen: GatewayRefund) -> Refund:
        """A surplus that the gateway, or somebody in its dashboard, returns: we don't. Rings where we had, too."""
        ours = await self._gateway.find_refund(refund.gateway_order, refund.gateway_refund)
        if refund.dispute_id or (ours is not None and ours.status is not RefundStatus.FAILED):
            report_returned_twice(refund)
            return refund
        return await self._agreed(refund, seen)

    async def returned_by_bank(self, refund: Refund, dispute_id: str) -> Refund:
        """A surplus that a bank has returned: we don't any more. Rings where it went back otherwise, too."""
        for _ in range(_TRIES):
            if refund.dispute_id == dispute_id:
                break
            done = replace(refund, state=RefundState.SUCCEEDED, dispute_id=dispute_id, due="")
            refund = await self._write(refund, done)
        else:
            raise Unavailable("the refund kept changing", indeterminate=False)
        if await self._of_payment(refund) is not None:  # after the write: nobody asks the gateway any more
            report_returned_twice(refund)
        return refund

    async def not_returned_by_bank(self, refund: Refund, dispute_id: str) -> Refund:
        """A surplus that a bank had returned, and has taken back: it is ours to return again."""
        if refund.dispute_id != dispute_id:
            return refund
        again = replace(refund, state=RefundState.PENDING, dispute_id="", due=self._after(0))
        return await self._write(refund, again)

    async def _of_payment(self, refund: Refund) -> GatewayRefund | None:
        """What returns a surplus at the gateway, whoever began it: the gateway itself, its dashboard, or we."""
        for found in await self._gateway.refunds(refund.gateway_order):
            is_this = refund_of_gateway(found.refund_id) == refund.refund_id
            is_others = found.payment_id == refund.payment_id and not is_own(found.refund_id)
            if (is_this or is_others) and found.status is not RefundStatus.FAILED:
                return found
        return None

    async def _asked(self, refund: Refund) -> GatewayRefund:
        return await self._gateway.refund(
            refund.gateway_order, refund.gateway_refund, refund.amount, refund.reason, refused=refund.tries
        )

    async def _agreed(self, refund: Refund, found: GatewayRefund) -> Refund:
        """The refund after what the gateway shows of it."""
        if found.amount != refund.amount:
            count("RefundMismatch")
            raise GatewayError("the gateway's refund has another amount")
        if found.status is RefundStatus.FAILED and refund.state is RefundState.PENDING:
            return await self._tried(refund, refund.attempt + 1)
        return await self._decided(refund, found.status)

    async def _tried(self, refund: Refund, attempt: int) -> Refund:
        """The refund after a try that failed: to be tried again later, or given up."""
        tries = refund.tries + 1
        if tries >= MAX_TRIES or refund.origin is RefundOrigin.GATEWAY:
            return await self._write(refund, replace(refund, state=RefundState.FAILED, tries=tries, due=""))
        later = min(_FIRST_LOOK * 4**refund.tries, _MAX_INTERVAL)
        _logger.warning("a refund failed, and is tried again", extra=_names(refund))
        return await self._write(refund, replace(refund, attempt=attempt, tries=tries, due=self._after(later)))

    async def _decided(self, refund: Refund, status: RefundStatus) -> Refund:
        """The refund as the gateway decided, which may be the opposite of an earlier decision."""
        state, due = RefundState(str(status)), ""
        if state is RefundState.PENDING:
            if refund.state is RefundState.SUCCEEDED:
                return refund
            due = self._after(min(max(_FIRST_LOOK, (self._clock() - refund.created) // 4), _MAX_INTERVAL))
        elif state is refund.state:
            return refund
        return await self._write(refund, replace(refund, state=state, due=due))

    async def _write(self, before: Refund, after: Refund) -> Refund:
        """Write the change; where another run was faster, the refund as that left it."""
        for _ in range(_TRIES):
            order, current = await self._read(before)
            if current != before:
                return current or before
            _report(before, after)  # before the write: a process that dies after it has rung
            try:
                await self._stored.change(order, before, after, self._clock())
            except TransactionCanceled:
                continue
            return (await self._stored.find(before.order_id, before.refund_id)) or after
        raise Unavailable("the refund kept changing", indeterminate=False)

    async def _read(self, refund: Refund) -> tuple[Order, Refund | None]:
        """The order, read before the refund: a change of both is not seen by half, as the order is a condition."""
        order = await self._orders.get(refund.tenant, refund.order_id)
        return order, await self._stored.find(refund.order_id, refund.refund_id)

    def _after(self, later: int) -> str:
        return iso(Micros(self._clock() + later))


def _share(order: Order, refund: Refund, amount: Paise | None, *, capped: bool) -> Refund:
    """The refund with its share of the order's price."""
    if order.status in UNPAID:
        raise not_paid()
    left = Paise(order.amount - order.refunded)
    wanted = left if amount is None else amount
    counted = Paise(min(wanted, left)) if capped else wanted
    if not capped and not 1 <= counted <= left:
        raise more_than_paid(left)
    return replace(refund, amount=wanted, counted=counted)


def _credits(order: Order, counted: Paise, granted: MicroCredits) -> MicroCredits:
    """The credits of the next `counted` paise: of all refunds together their share rounded down, of the whole all."""
    if not counted:
        return NOTHING
    return MicroCredits(max(0, granted * (order.refunded + counted) // order.amount - order.returned))


def report_returned_twice(refund: Refund) -> None:
    """Ring for money that went back through a bank and through the gateway, too: only people can get it again."""
    count("RefundMismatch")
    _logger.error("a disputed payment had been refunded", extra=_names(refund))


def _report(before: Refund, after: Refund) -> None:
    """Ring for what people must see to."""
    if after.state is RefundState.FAILED and before.state is not RefundState.FAILED:
        count("RefundFailed")
        _logger.error("a refund failed", extra=_names(after))


def _names(refund: Refund) -> dict[str, str]:
    return {"order": refund.order_id, "refund": refund.refund_id, "origin": str(refund.origin)}
