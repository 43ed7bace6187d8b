"""Enqueues again what the local queues lost at the end of the last run.

The outbox's stream shows recent events again by itself, but not a delivery that exists already: its next attempt waited
in a queue, for up to 15 minutes. The scheduler would repeat such a job too, but 15 minutes late. In the cloud queues
outlive every process; so only the local stack does this.
"""

from dataclasses import replace

from callmissed.aws.attributes import Item
from callmissed.aws.database import Database
from callmissed.aws.queues import MOST_DELAY_SECONDS, Sending
from callmissed.clock import SECOND
from callmissed.platform.tables import DELIVERIES
from functions.webhooks.delivery.jobs import of_due
from functions.webhooks.storage.due import Due
from functions.webhooks.storage.records import DELIVERY_PREFIX, PARKED_KEY, REPLAY_PREFIX, Delivery, State


async def send_again(database: Database, dispatch: Sending, now: int) -> int:
    """Enqueue every unfinished item of the table `deliveries` at `now` (epoch microseconds); returns how many.

    Attempts wait in the queue until they are due, but for those so late that the scheduler enqueues them. A job that
    is enqueued twice does no harm. Raises Unavailable, QueueUnavailable.
    """
    found = [item async for item in database.scan(DELIVERIES) if _is_unfinished(item)]
    jobs = [(of_due(Due.of({"due": "", **item})).message(), _wait(item, now)) for item in found]
    messages = [replace(message, delay_seconds=seconds) for message, seconds in jobs if seconds is not None]
    await dispatch.send(messages)
    return len(messages)


def _wait(item: Item, now: int) -> int | None:
    """Seconds until `item` is due; None when no queue can wait for it."""
    next_attempt_at = Delivery.of(item).next_attempt_at if item["item"].startswith(DELIVERY_PREFIX) else None
    seconds = max(0, -(-((next_attempt_at or now) - now) // SECOND))
    return seconds if seconds <= MOST_DELAY_SECONDS else None


def _is_unfinished(item: Item) -> bool:
    key: str = item["item"]
    pending = key.startswith(DELIVERY_PREFIX) and Delivery.of(item).state is State.PENDING
    return key == PARKED_KEY or key.startswith(REPLAY_PREFIX) or pending
