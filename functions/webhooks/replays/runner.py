"""Replays at work: pages through a webhook's deliveries and orders them again, as many as there are.

    recover   what failed is tried again under its old id, in a fresh schedule
    replay    what is selected is delivered again under a new id

After each page the replay's item says how far it came, and each new id follows from the replay and the old one. So a
process may die anywhere, and two may work on the same replay: whoever writes a delivery orders it, and the timer orders
what was written by one that died then. Nothing is ordered twice, nothing left out.
"""

from typing import Any

from callmissed.aws.attributes import Item, to_item
from callmissed.aws.queues import Message, Sending
from callmissed.clock import SECOND, Clock
from callmissed.events.types import matches
from callmissed.platform.tables import DELIVERIES, WEBHOOKS
from functions.webhooks.delivery import jobs
from functions.webhooks.delivery.time_range import key_before
from functions.webhooks.storage.records import (
    DELIVERY,
    INDEXED,
    LOST_AFTER,
    REPLAY,
    Endpoint,
    State,
    delivery_id,
    due,
    new_delivery,
    webhook_key,
)
from functions.webhooks.storage.repository import Store, at_once

RECOVER = "recover"
DONE = "done"
RUNNING = "running"

_PAGE = 100
_PAGES_AT_ONCE = 20
_LONGEST_RUN = 20 * SECOND
"""Several replays may be in one batch of the sender, which has a minute for all of it."""

_PAUSE_SECONDS = 1


class Replayer:
    """Works on replays. Every method raises Unavailable or QueueUnavailable; the order must then come again."""

    def __init__(self, store: Store, queue: Sending, clock: Clock) -> None:
        self._store = store
        self._queue = queue
        self._clock = clock

    async def go_on(self, endpoint: Endpoint, id: str) -> None:
        """Do some pages of the replay, and order the rest; there is none once its webhook was deleted."""
        end = self._clock() + _LONGEST_RUN
        if not await self._store.get(WEBHOOKS, webhook_key(endpoint)):
            key, done = _key(endpoint, id), {"state": DONE}
            await self._store.change(DELIVERIES, key, done, {"state": RUNNING}, gone=INDEXED)
            return
        for _ in range(_PAGES_AT_ONCE):
            replay = await self._store.get(DELIVERIES, _key(endpoint, id))
            if replay.get("state") != RUNNING or not await self._page(endpoint, replay):
                return
            if self._clock() >= end:
                break
        await self._queue.send([jobs.replay(endpoint, id, delay_seconds=_PAUSE_SECONDS)])

    async def _page(self, endpoint: Endpoint, replay: Item) -> bool:
        """Do one page; False when it was the last, or another process is at it."""
        found, more = await self._store.page(_range(endpoint, replay))
        meant = [delivery for delivery in found if _is_meant(replay, delivery)]
        orders = await at_once([self._again(endpoint, replay, delivery) for delivery in meant])
        await self._queue.send([order for order in orders if order])
        new: Item = {"seen": replay["seen"] + len(found), "queued": replay["queued"] + len(meant)}
        if more:
            new |= {"cursor": found[-1]["item"], **due(endpoint, self._clock() + LOST_AFTER)}
        else:
            new |= {"state": DONE}
        gone = () if more else INDEXED
        seen = {"state": RUNNING, "seen": replay["seen"]}
        return await self._store.change(DELIVERIES, _item_key(replay), new, seen, gone=gone) and bool(more)

    async def _again(self, endpoint: Endpoint, replay: Item, delivery: Item) -> Message | None:
        kind = self._recovered if replay["kind"] == RECOVER else self._copied
        again = await kind(endpoint, replay, delivery)
        return jobs.attempt(endpoint, again) if again else None

    async def _recovered(self, endpoint: Endpoint, _replay: Item, delivery: Item) -> Item:
        """The delivery, pending again with all its attempts before it; empty when it is not a failed one any more."""
        new = {"state": State.PENDING.value, "base": delivery["n"], **due(endpoint, self._clock() + LOST_AFTER)}
        seen = {"state": State.FAILED.value, "n": delivery["n"]}
        freed = await self._store.change(DELIVERIES, _item_key(delivery), new, seen, gone=("done",))
        return delivery | new if freed else {}

    async def _copied(self, endpoint: Endpoint, replay: Item, delivery: Item) -> Item:
        """A new delivery of the same event; empty when it was written before."""
        origin = delivery["item"].removeprefix(DELIVERY)
        id = delivery_id(replay["created"], replay["item"], origin)
        event = {"id": delivery["event"], "type": delivery["type"], "created": delivery["created"]}
        copy = new_delivery(endpoint, id, event, State.PENDING, origin=origin)
        copy |= due(endpoint, self._clock() + LOST_AFTER)
        return {} if await self._store.put_new(DELIVERIES, copy) else copy


def _is_meant(replay: Item, delivery: Item) -> bool:
    """Whether the replay selects the delivery. What replays another is not replayed itself: it may be of our making."""
    chosen = delivery["state"] in replay["states"] and any(
        matches(pattern, delivery["type"]) for pattern in replay["events"]
    )
    return chosen and (replay["kind"] == RECOVER or "origin" not in delivery)


def _range(endpoint: Endpoint, replay: Item) -> dict[str, Any]:
    """One page of the deliveries whose events are of the replay's time, oldest first."""
    first, last = f"{replay['cursor']}!", key_before(replay["until"])  # no key lies between the cursor and its "!"
    return {
        "KeyConditionExpression": "webhook = :webhook AND #item BETWEEN :first AND :last",
        "ExpressionAttributeNames": {"#item": "item"},
        "ExpressionAttributeValues": to_item({":webhook": endpoint.partition, ":first": first, ":last": last}),
        "ConsistentRead": True,
        "Limit": _PAGE,
    }


def _key(endpoint: Endpoint, id: str) -> Item:
    return {"webhook": endpoint.partition, "item": REPLAY + id}


def _item_key(item: Item) -> Item:
    return {"webhook": item["webhook"], "item": item["item"]}
