"""What moto forgot at the end of the last run, put into its queues again.

The outbox's stream tells recent events again by itself, but not a delivery that has its row already: its next attempt
waited in a queue, for up to 15 minutes. The timer would repeat such an order too, but 15 minutes late. In the cloud
queues outlive everything; so this is the desk's business alone.
"""

from dataclasses import replace

from callmissed.aws.attributes import Item
from callmissed.aws.database import Database
from callmissed.aws.queues import MOST_DELAY_SECONDS, Sending
from callmissed.clock import SECOND
from callmissed.platform.tables import DELIVERIES
from functions.webhooks.delivery.jobs import of_due
from functions.webhooks.storage.records import DELIVERY, LANE, REPLAY, State


async def send_again(database: Database, dispatch: Sending, now: int) -> int:
    """Order every unfinished item of the table `deliveries` at `now` (epoch microseconds); returns how many.

    Attempts are ordered for when they are due, but for those so late that the timer starts them. Whoever gets an order
    looks first, so that one too many does no harm. Raises Unavailable, QueueUnavailable.
    """
    found = [item async for item in database.scan(DELIVERIES) if _is_unfinished(item)]
    orders = [
        replace(of_due(item), delay_seconds=seconds) for item in found if (seconds := _wait(item, now)) is not None
    ]
    await dispatch.send(orders)
    return len(orders)


def _wait(item: Item, now: int) -> int | None:
    """Seconds until `item` is due; None when no queue can wait for it."""
    seconds = max(0, -(-(item.get("next", now) - now) // SECOND))
    return seconds if seconds <= MOST_DELAY_SECONDS else None


def _is_unfinished(item: Item) -> bool:
    key: str = item["item"]
    pending = key.startswith(DELIVERY) and item["state"] == State.PENDING
    return key == LANE or key.startswith(REPLAY) or pending
