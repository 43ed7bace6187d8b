"""The function `event-relay`: publishes the outbox's stream on the event bus."""

from functools import cache
from typing import Any

from callmissed.aws.batches import Failures, changes, from_here
from callmissed.aws.clients import client
from callmissed.aws.runtime import logs_failures, run
from callmissed.platform.resources import EVENT_BUS
from callmissed.settings import from_environment
from functions.webhooks.events.relay import Relay


@logs_failures("event-relay")
def handler(event: dict[str, Any], _context: object) -> Failures:
    """Relay a batch of the outbox's stream. botocore's errors propagate, so that Lambda retries the batch."""
    return from_here(run(_relay().publish(changes(event))))


@cache
def _relay() -> Relay:
    settings = from_environment()
    return Relay(EVENT_BUS.physical_name(settings.stage), client("events", settings))
