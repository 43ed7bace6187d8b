"""The schedule `subscription-sweep`: ends of periods, and changes of plans that were interrupted."""

import asyncio
from dataclasses import asdict
from typing import Any

from callmissed.aws.database import Database
from callmissed.aws.runtime import at_micros, logs_failures
from callmissed.clock import Micros, system_clock
from callmissed.observability import count, get_logger
from functions.billing.composition import compose
from functions.billing.subscriptions.repository import SubscriptionRecords
from functions.billing.subscriptions.service import PlanSubscriptions
from functions.billing.subscriptions.sweep import SubscriptionSweep, SubscriptionSweepReport

_logger = get_logger("subscription-sweep")


@logs_failures("subscription-sweep")
def handler(event: dict[str, Any], _context: object) -> dict[str, int]:
    """Bring up to date what is due at `event["at"]` (ISO 8601)."""
    report = asyncio.run(_sweep(compose().database, at_micros(event)))
    count("SubscriptionSweepFailures", report.failed)
    result = asdict(report)
    _logger.info("brought subscriptions up to date", extra=result)
    return result


async def _sweep(database: Database, now: Micros) -> SubscriptionSweepReport:
    subscriptions = PlanSubscriptions(SubscriptionRecords(database), system_clock)
    try:
        return await SubscriptionSweep(subscriptions, system_clock).run(now)
    finally:
        await database.close()
