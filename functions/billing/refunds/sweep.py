"""The sweep over refunds: each is asked about until the gateway has decided, as a callback may never come."""

from dataclasses import dataclass

from callmissed.aws.dynamodb import Unavailable
from callmissed.clock import MINUTE, Clock, Micros
from callmissed.errors import ApiError
from callmissed.observability import count, get_logger
from functions.billing.payments.gateway import GatewayError
from functions.billing.payments.refund_records import Refund, RefundState
from functions.billing.refunds.repository import StoredRefunds
from functions.billing.refunds.service import Refunds

_INTERVAL = 10 * MINUTE
_OVERDUE = 7 * 24 * 60 * MINUTE
_MAX_RUN = 15 * 1_000_000

_logger = get_logger("refund-sweep")


@dataclass(slots=True)
class RefundSweepReport:
    """Result of one sweep: refunds looked at, paid back, failed, and those about which the gateway said nothing."""

    seen: int = 0
    succeeded: int = 0
    failed: int = 0
    unanswered: int = 0


class RefundSweep:
    """Looks after the undecided refunds of one stage. Raises Unavailable; the next run sees to the rest."""

    def __init__(self, stored: StoredRefunds, refunds: Refunds, clock: Clock) -> None:
        self._stored = stored
        self._refunds = refunds
        self._clock = clock

    async def run(self, now: Micros) -> RefundSweepReport:
        """Look at what is due at `now`."""
        report, end = RefundSweepReport(), Micros(self._clock() + _MAX_RUN)
        async for refund in self._stored.due(now):
            report.seen += 1
            await self._look_at(refund, now, report)
            if self._clock() >= end:
                break
        return report

    async def _look_at(self, refund: Refund, now: Micros, report: RefundSweepReport) -> None:
        after = refund
        try:
            after = await self._refunds.follow(refund)
        except (ApiError, GatewayError, Unavailable) as error:
            report.unanswered += 1
            _logger.warning("a refund could not be followed", extra={"refund": refund.refund_id, "why": str(error)})
        report.succeeded += after.state is RefundState.SUCCEEDED
        report.failed += after.state is RefundState.FAILED
        if after.due == refund.due:
            await self._stored.look_again(refund, Micros(now + _INTERVAL))
        if after.state is RefundState.PENDING and now - after.created > _OVERDUE:
            count("RefundFailed")
            _logger.error("a refund is undecided for a week", extra={"refund": after.refund_id})
