"""Lanes: where the deliveries of an endpoint wait that does not answer, or of a webhook that is paused.

A parked delivery stands in nobody's way: it is in no queue, only in its endpoint's part of the index, and one item, the
lane, says that there are some. Whatever parks a delivery moves the lane's `rev` on before, so that a process that dies
between the two leaves a lane and nothing in it, and never a parked delivery without a lane. The lane goes away when
nothing parked was found twice, `_EMPTY_FOR` apart, and `rev` stood still.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from callmissed.aws.attributes import Item, to_item
from callmissed.aws.queues import Sending
from callmissed.clock import MINUTE, Clock
from callmissed.platform.tables import DELIVERIES, DUE, WEBHOOKS
from functions.webhooks.delivery import jobs
from functions.webhooks.storage.records import LANE, LOST_AFTER, Endpoint, State, due, lane_shard, parked, webhook_key
from functions.webhooks.storage.repository import Store, at_once

_DRAINED_AT_ONCE = 100
_NEXT_LOOK = MINUTE
_EMPTY_FOR = 2 * MINUTE
"""Longer than the 60 s for which a process may run that has moved `rev` on and not parked yet, by clocks that are off
by 5 s each, and than the index lags behind the table."""

_PAUSE_SECONDS = 1

Probe = Callable[[Endpoint, Item], Awaitable[None]]


class Lanes:
    """Parks deliveries, and lets them go on. Every method raises Unavailable."""

    def __init__(self, store: Store, queue: Sending, clock: Clock) -> None:
        self._store = store
        self._queue = queue
        self._clock = clock

    async def park(self, endpoint: Endpoint, delivery: Item, until: int) -> None:
        """Let the delivery wait until its endpoint is looked at again, about `until` (epoch microseconds)."""
        key = {"webhook": endpoint.partition, "item": delivery["item"]}
        seen = {"state": State.PENDING.value, "n": delivery["n"]}
        await self._store.keep_lane(endpoint, max(until, self._clock()))  # first: nobody looks for it without a lane
        await self._store.change(DELIVERIES, key, parked(delivery), seen, gone=("next",))

    async def look(self, endpoint: Endpoint, probe: Probe) -> None:
        """Let parked deliveries go on: all in turn when the endpoint is well, one when it is time for a probe."""
        now = self._clock()
        lane = await self._store.get(DELIVERIES, _key(endpoint))
        webhook = await self._store.get(WEBHOOKS, webhook_key(endpoint))
        if not lane:
            return
        if not webhook or not webhook["active"]:
            await self._take_away(endpoint, lane)
            return
        opened = webhook.get("open", 0)
        if opened > now:
            await self._look_again(endpoint, opened)
            return
        found = await self._parked(endpoint)
        if not found:
            await self._end(endpoint, lane, now)
            return
        await self._look_again(endpoint, now + _NEXT_LOOK)
        if opened:
            await probe(endpoint, min(found, key=_attempts))
        else:
            await self._drain(endpoint, found)

    async def release(self, endpoint: Endpoint, delivery: Item) -> Item:
        """The delivery, pending again, and due in a while if its order gets lost; empty when it is not parked."""
        key = {"webhook": endpoint.partition, "item": delivery["item"]}
        new = {"state": State.PENDING.value, **due(endpoint, self._clock() + LOST_AFTER)}
        freed = await self._store.change(DELIVERIES, key, new, {"state": State.PARKED.value, "n": delivery["n"]})
        return delivery | new if freed else {}

    async def _drain(self, endpoint: Endpoint, found: list[Item]) -> None:
        released = await at_once([self.release(endpoint, delivery) for delivery in found])
        orders = [jobs.attempt(endpoint, delivery) for delivery in released if delivery]
        await self._queue.send([*orders, jobs.lane(endpoint, delay_seconds=_PAUSE_SECONDS)])

    async def _end(self, endpoint: Endpoint, lane: Item, now: int) -> None:
        """Take the lane away if it was empty `_EMPTY_FOR` ago too, however often it was looked at between."""
        since = lane["since"] if lane.get("empty") == lane["rev"] else now
        if now >= since + _EMPTY_FOR:
            await self._take_away(endpoint, lane)
        else:
            await self._look_again(endpoint, since + _EMPTY_FOR, empty=lane["rev"], since=since)

    async def _take_away(self, endpoint: Endpoint, lane: Item) -> None:
        """`rev` begins anew with a new lane, which is due at another moment."""
        await self._store.delete(DELIVERIES, _key(endpoint), {"rev": lane["rev"], "due": lane["due"]})

    async def _look_again(self, endpoint: Endpoint, moment: int, **marks: int) -> None:
        """Whatever was parked meanwhile is looked at then too."""
        await self._store.change(DELIVERIES, _key(endpoint), due(endpoint, moment) | marks, {})

    async def _parked(self, endpoint: Endpoint) -> list[Item]:
        """Some of the oldest parked deliveries, with the attributes that the index shows."""
        request: dict[str, Any] = {
            "IndexName": DUE.name,
            "KeyConditionExpression": "#shard = :lane",
            "ExpressionAttributeNames": {"#shard": "shard"},
            "ExpressionAttributeValues": to_item({":lane": lane_shard(endpoint)}),
            "Limit": _DRAINED_AT_ONCE,
        }
        found, _ = await self._store.page(request)
        return found


def _attempts(delivery: Item) -> int:
    """The fewer there were, the less a failure is the delivery's own fault: it should not keep all others waiting."""
    return delivery["n"]


def _key(endpoint: Endpoint) -> Item:
    return {"webhook": endpoint.partition, "item": LANE}
