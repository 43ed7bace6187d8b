"""The timer: each minute it orders what is due by then. An order that gets lost is repeated after a while."""

from functools import cache
from typing import Any

from callmissed.aws.attributes import Item, to_item
from callmissed.aws.database import Database
from callmissed.aws.dynamodb import DynamoDB
from callmissed.aws.queues import Sending, SqsQueue
from callmissed.aws.runtime import run
from callmissed.aws.schedules import at_micros
from callmissed.clock import SECOND, Clock, system_clock
from callmissed.observability import get_logger
from callmissed.platform.queues import DISPATCH
from callmissed.platform.tables import DELIVERIES, DUE
from callmissed.settings import from_environment
from functions.webhooks import messages
from functions.webhooks.records import LOST_AFTER, SHARDS, due, endpoint_of
from functions.webhooks.store import Store, at_once

_PAGE = 250
_LONGEST_RUN = 40 * SECOND
"""Lambda ends a run after 55 seconds; what it has claimed by then and not ordered would wait for `LOST_AFTER`."""

_logger = get_logger("webhook-timer")


class Timer:
    """Orders what is due. Raises Unavailable or QueueUnavailable; the next run does what this one did not."""

    def __init__(self, store: Store, queue: Sending, clock: Clock = system_clock) -> None:
        self._store = store
        self._queue = queue
        self._clock = clock

    async def ring(self, now: int) -> int:
        """Order what is due at `now` (epoch microseconds), as long as there is time; returns how much it was."""
        end = self._clock() + _LONGEST_RUN
        return sum(await at_once([self._ring(str(shard), now, end) for shard in range(SHARDS)]))

    async def _ring(self, shard: str, now: int, end: int) -> int:
        ordered, more = 0, None
        while True:
            found, more = await self._store.page(_request(shard, now, more))
            claimed = [item for item in await at_once([self._claim(item, now) for item in found]) if item]
            await self._queue.send([messages.of_due(item) for item in claimed])
            ordered += len(claimed)
            if not more or self._clock() >= end:
                return ordered

    async def _claim(self, item: Item, now: int) -> Item:
        """The item, if it is still due and nobody else has ordered it; empty otherwise."""
        key = {"webhook": item["webhook"], "item": item["item"]}
        later = due(endpoint_of(item["webhook"]), now + LOST_AFTER)
        return item if await self._store.change(DELIVERIES, key, later, {"due": item["due"]}) else {}


def _request(shard: str, now: int, start: dict[str, Any] | None) -> dict[str, Any]:
    request: dict[str, Any] = {
        "IndexName": DUE.name,
        "KeyConditionExpression": "#shard = :shard AND #due <= :now",
        "ExpressionAttributeNames": {"#shard": "shard", "#due": "due"},
        "ExpressionAttributeValues": to_item({":shard": shard, ":now": f"{now:020}"}),
        "Limit": _PAGE,
    }
    return request | ({"ExclusiveStartKey": start} if start else {})


def handler(event: dict[str, Any], _context: object) -> dict[str, int]:
    """Ring as of `event["at"]` (ISO 8601)."""
    ordered = run(_timer().ring(at_micros(event)))
    _logger.info("ordered what was due", extra={"ordered": ordered})
    return {"ordered": ordered}


@cache
def _timer() -> Timer:
    settings = from_environment()
    store = Store(Database(DynamoDB(settings.region, settings.dynamodb_endpoint), settings.stage))
    return Timer(store, SqsQueue(settings, DISPATCH))
