"""The schedule `subscription-sweep`: ends of periods, and changes of plans that were interrupted."""

from dataclasses import asdict
from functools import cache
from typing import Any

from callmissed.aws.runtime import at_micros, logs_failures, run
from callmissed.clock import system_clock
from callmissed.observability import count, get_logger
from functions.billing.composition import compose
from functions.billing.subscriptions.repository import SubscriptionRecords
from functions.billing.subscriptions.service import PlanSubscriptions
from functions.billing.subscriptions.sweep import SubscriptionSweep

_logger = get_logger("subscription-sweep")


@logs_failures("subscription-sweep")
def handler(event: dict[str, Any], _context: object) -> dict[str, int]:
    """Bring up to date what is due at `event["at"]` (ISO 8601)."""
    result = asdict(run(_sweep().run(at_micros(event))))
    count("SubscriptionSweepFailures", result["failed"])
    _logger.info("brought subscriptions up to date", extra=result)
    return result


@cache
def _sweep() -> SubscriptionSweep:
    subscriptions = PlanSubscriptions(SubscriptionRecords(compose().database), system_clock)
    return SubscriptionSweep(subscriptions, system_clock)
