"""The sweep over orders: a callback may never come, so the gateway is asked about each of them.

An unpaid order is looked at three minutes after it was made, then at growing intervals for seven days. It expires half
an hour after its last session began; a payment that succeeds later is still credited. A paid one is looked at a day
later, once: a second payment goes back.
"""

from dataclasses import dataclass

from callmissed.clock import MINUTE, Clock, Micros
from callmissed.errors import ApiError
from callmissed.observability import get_logger
from functions.billing.payments.records import UNPAID, Order, OrderStatus
from functions.billing.payments.repository import Orders, closed_operation
from functions.billing.payments.service import Payments

_EXPIRES = 30 * MINUTE
_MIN_INTERVAL = 5 * MINUTE
_FOLLOWED = 7 * 24 * 60 * MINUTE
_MAX_RUN = 25 * 1_000_000

_logger = get_logger("order-sweep")


@dataclass(slots=True)
class OrderSweepReport:
    """Result of one sweep: orders looked at, settled, expired, and those about which the gateway said nothing."""

    seen: int = 0
    settled: int = 0
    expired: int = 0
    unanswered: int = 0


class OrderSweep:
    """Looks after the orders of one stage. Raises Unavailable; the next run sees to the rest."""

    def __init__(self, orders: Orders, payments: Payments, clock: Clock) -> None:
        self._orders = orders
        self._payments = payments
        self._clock = clock

    async def run(self, now: Micros) -> OrderSweepReport:
        """Look at what is due at `now`."""
        report, end = OrderSweepReport(), Micros(self._clock() + _MAX_RUN)
        async for order in self._orders.due(now):
            report.seen += 1
            await self._look_at(order, now, report)
            if self._clock() >= end:
                break
        return report

    async def _look_at(self, order: Order, now: Micros, report: OrderSweepReport) -> None:
        after = await self._refreshed(order)
        if after is None:
            report.unanswered += 1
        elif after.status not in UNPAID:
            if order.status in UNPAID:
                report.settled += 1  # the settlement says when to look again
            else:
                await self._orders.look_again(order, None)
            return
        after = after or order
        if after.status is OrderStatus.PENDING and now - after.session.created > _EXPIRES:
            report.expired += await self._orders.database.write_if(closed_operation(after, OrderStatus.EXPIRED))
        age = now - after.session.created
        later = Micros(now + max(_MIN_INTERVAL, age // 4)) if age < _FOLLOWED else None
        await self._orders.look_again(order, later)

    async def _refreshed(self, order: Order) -> Order | None:
        """The order as the gateway has it; None where it does not answer."""
        try:
            return await self._payments.refresh(order)
        except ApiError as error:
            _logger.warning("an order could not be settled", extra={"order": order.order_id, "code": error.code})
            return None
