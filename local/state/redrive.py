"""Unfinished deliveries, enqueued again at a start, because moto's queues end with the process.

The outbox's stream brings recent events again by itself, but not a delivery that is stored already: its next attempt
waited in a queue, for up to 15 minutes. The webhook timer would enqueue the attempt too, but 15 minutes late. A
deployed stage has queues that last.
"""

from dataclasses import replace

from callmissed.aws.attributes import Item
from callmissed.aws.database import Database
from callmissed.aws.queues import MOST_DELAY_SECONDS, Sending
from callmissed.clock import SECOND
from callmissed.platform.tables import DELIVERIES
from functions.webhooks.messages import of_due
from functions.webhooks.records import DELIVERY, LANE, REPLAY, State


async def redrive_deliveries(database: Database, dispatch: Sending, now: int) -> int:
    """Enqueue every unfinished item of the table `deliveries` at `now` (epoch microseconds); returns how many.

    An attempt is delayed until it is due; attempts beyond a queue's maximum delay are left to the webhook timer. The
    consumer reads the item first, so a duplicate message is harmless. Raises Unavailable, QueueUnavailable.
    """
    found = [item async for item in database.scan(DELIVERIES) if _is_unfinished(item)]
    jobs = [replace(of_due(item), delay_seconds=seconds) for item in found if (seconds := _wait(item, now)) is not None]
    await dispatch.send(jobs)
    return len(jobs)


def _wait(item: Item, now: int) -> int | None:
    """Seconds until `item` is due; None beyond the maximum delay of a queue."""
    seconds = max(0, -(-(item.get("next", now) - now) // SECOND))
    return seconds if seconds <= MOST_DELAY_SECONDS else None


def _is_unfinished(item: Item) -> bool:
    key: str = item["item"]
    pending = key.startswith(DELIVERY) and item["state"] == State.PENDING
    return key == LANE or key.startswith(REPLAY) or pending
