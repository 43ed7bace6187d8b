"""The function `webhook-scheduler`: enqueues what is due, each minute."""

from functools import cache
from typing import Any

from callmissed.aws.runtime import at_micros, logs_failures, run
from callmissed.observability import get_logger
from functions.webhooks.composition import compose
from functions.webhooks.delivery.scheduler import Scheduler

_logger = get_logger("webhook-scheduler")


@logs_failures("webhook-scheduler")
def handler(event: dict[str, Any], _context: object) -> dict[str, int]:
    """Enqueue what is due at `event["at"]` (ISO 8601)."""
    enqueued = run(_scheduler().enqueue_due(at_micros(event)))
    _logger.info("enqueued what is due", extra={"enqueued": enqueued})
    return {"enqueued": enqueued}


@cache
def _scheduler() -> Scheduler:
    composition = compose()
    return Scheduler(composition.repository, composition.jobs)
