"""Unfinished deliveries, enqueued again at a start, because moto's queues end with the process.

The outbox's stream brings recent events again by itself, but not a delivery that is stored already: its next attempt
waited in a queue, for up to 15 minutes. The webhook scheduler would enqueue the attempt too, but 15 minutes late. A
deployed stage has queues that last.
"""

from dataclasses import replace

from callmissed.aws.attributes import Item
from callmissed.aws.database import Database
from callmissed.aws.queues import MAX_DELAY_SECONDS, Sending
from callmissed.clock import SECOND
from callmissed.platform.tables import DELIVERIES
from functions.webhooks.delivery.jobs import of_due
from functions.webhooks.storage.due import Due
from functions.webhooks.storage.records import DELIVERY_PREFIX, PARKED_KEY, REPLAY_PREFIX, Delivery, State


async def redrive_deliveries(database: Database, dispatch: Sending, now: int) -> int:
    """Enqueue every unfinished item of the table `deliveries` at `now`; returns how many.

    An attempt is delayed until it is due; attempts beyond a queue's maximum delay are left to the webhook scheduler.
    The consumer reads the item first, so a duplicate message is harmless. Raises Unavailable, QueueUnavailable.
    """
    found = [item async for item in database.scan(DELIVERIES) if _is_unfinished(item)]
    jobs = [(of_due(Due.of({"due": "", **item})).message(), _wait(item, now)) for item in found]
    messages = [replace(message, delay_seconds=seconds) for message, seconds in jobs if seconds is not None]
    await dispatch.send(messages)
    return len(messages)


def _wait(item: Item, now: int) -> int | None:
    """Seconds until `item` is due; None beyond the maximum delay of a queue."""
    next_attempt_at = Delivery.of(item).next_attempt_at if item["item"].startswith(DELIVERY_PREFIX) else None
    seconds = max(0, -(-((next_attempt_at or now) - now) // SECOND))
    return seconds if seconds <= MAX_DELAY_SECONDS else None


def _is_unfinished(item: Item) -> bool:
    key: str = item["item"]
    pending = key.startswith(DELIVERY_PREFIX) and Delivery.of(item).state is State.PENDING
    return key == PARKED_KEY or key.startswith(REPLAY_PREFIX) or pending
