"""The sweep over subscriptions: ends of periods and of grace, and changes of plans that were interrupted."""

from dataclasses import dataclass

from callmissed.aws.dynamodb import DynamoError
from callmissed.clock import SECOND, Clock, Micros
from callmissed.errors import ApiError
from callmissed.observability import get_logger
from functions.billing.subscriptions.service import PlanSubscriptions

_MAX_RUN = 40 * SECOND

_logger = get_logger("subscription-sweep")


@dataclass(slots=True)
class SubscriptionSweepReport:
    """Result of one sweep: subscriptions that were due, and those that could not be brought up to date."""

    due: int = 0
    failed: int = 0


class SubscriptionSweep:
    """Brings the subscriptions of one stage up to date. Raises Unavailable; the next run sees to the rest."""

    def __init__(self, subscriptions: PlanSubscriptions, clock: Clock) -> None:
        self._subscriptions = subscriptions
        self._clock = clock

    async def run(self, now: Micros) -> SubscriptionSweepReport:
        """Do what is due at `now`. A subscription that fails does not delay the others."""
        report, end = SubscriptionSweepReport(), self._clock() + _MAX_RUN
        async for tenant in self._subscriptions.records.due(now):
            report.due += 1
            try:
                await self._subscriptions.advance(tenant)
            except (ApiError, DynamoError):
                report.failed += 1
                _logger.warning(
                    "a subscription could not be brought up to date", extra={"tenant": tenant}, exc_info=True
                )
            if self._clock() >= end:
                break
        return report
