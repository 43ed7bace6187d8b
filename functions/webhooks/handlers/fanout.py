"""The function `event-fanout`: creates the deliveries of events."""

from functools import cache
from typing import Any

from callmissed.aws.batches import Failures, Received, each_message
from callmissed.aws.runtime import logs_failures, run
from callmissed.clock import system_clock
from callmissed.observability import get_logger
from functions.webhooks.composition import compose
from functions.webhooks.delivery.fanout import Fanout, PublishedEvent

_logger = get_logger("event-fanout")


@logs_failures("event-fanout")
def handler(event: dict[str, Any], _context: object) -> Failures:
    """Fan out a batch of events, as the bus wrote them into the queue."""
    return run(each_message(event, _fan_out, _logger))


async def _fan_out(received: Received) -> None:
    await _fanout().fan_out(PublishedEvent(**received.body["detail"]), redelivered=received.redelivered)


@cache
def _fanout() -> Fanout:
    composition = compose()
    return Fanout(composition.repository, composition.jobs, system_clock)
