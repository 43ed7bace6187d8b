"""Dispatch: carries out an order for an attempt, from a look at what is true by now to the record of what came of it.

The attempt is recorded before the next order is sent, and the record says when the next attempt is due. So whichever
step a process dies at, the order comes back from the queue, or the timer finds the delivery: an attempt may be made
twice, and is never left out.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass

from callmissed.aws.attributes import Item
from callmissed.aws.queues import MOST_DELAY_SECONDS, Sending
from callmissed.clock import SECOND, Clock
from callmissed.platform.tables import DELIVERIES
from functions.webhooks.delivery import jobs
from functions.webhooks.delivery.attempts import Attempting, Outcome
from functions.webhooks.delivery.circuit_breaker import Health, Off
from functions.webhooks.delivery.parking import Lanes
from functions.webhooks.delivery.schedule import wait_after
from functions.webhooks.storage.records import (
    DELIVERY,
    INDEXED,
    LOST_AFTER,
    Endpoint,
    State,
    attempt_key,
    delivery_key,
    due,
)
from functions.webhooks.storage.repository import Store, Work

_SKEW = 10 * SECOND


@dataclass(frozen=True, slots=True)
class Order:
    """An order for the attempt that follows `made` others. `again`: the queue handed it out before."""

    delivery: str
    event: str
    made: int
    again: bool = False


class Dispatcher:
    """Carries out orders. Every method raises Unavailable or QueueUnavailable; the order must then come again."""

    def __init__(
        self,
        store: Store,
        queue: Sending,
        attempts: Attempting,
        clock: Clock,
        luck: Callable[[], float] = random.random,
    ) -> None:
        self._store = store
        self._queue = queue
        self._attempts = attempts
        self._clock = clock
        self._luck = luck
        self._health = Health(store)
        self.lanes = Lanes(store, queue, clock)

    async def carry_out(self, endpoint: Endpoint, order: Order) -> None:
        """Attempt the delivery, if that is still what it needs."""
        work = await self._store.work(endpoint, order.delivery, order.event)
        now = self._clock()
        if not work.delivery:
            return
        if work.delivery["state"] == State.PARKED:
            await self._store.keep_lane(endpoint, now)  # whoever parked it may have been too slow for its lane
        if work.delivery["state"] != State.PENDING:
            return
        if work.delivery["n"] != order.made:
            if order.again:
                await self._order_next(endpoint, work.delivery, now)
            return
        if work.delivery.get("next", 0) <= now + _SKEW:
            await self._attempt_or_park(endpoint, order, work, now)

    async def probe(self, endpoint: Endpoint, delivery: Item) -> None:
        """Attempt a parked delivery, to see whether its endpoint answers again."""
        released = await self.lanes.release(endpoint, delivery)
        if released:
            order = Order(released["item"].removeprefix(DELIVERY), released["event"], released["n"])
            await self.carry_out(endpoint, order)

    async def _attempt_or_park(self, endpoint: Endpoint, order: Order, work: Work, now: int) -> None:
        webhook = work.webhook
        if not webhook or not work.event:
            await self._give_up(endpoint, order, "The webhook was deleted." if work.event else "The event has expired.")
        elif not webhook["active"]:
            await self.lanes.park(endpoint, work.delivery, now)
        elif "open" in webhook and not await self._health.may_probe(endpoint, webhook, now):
            await self.lanes.park(endpoint, work.delivery, webhook["open"])
        else:
            await self._attempt(endpoint, order, work, now)

    async def _attempt(self, endpoint: Endpoint, order: Order, work: Work, now: int) -> None:
        outcome = await self._attempts.make(
            work.webhook,
            delivery_id=order.delivery,
            event_type=work.event["type"],
            body=work.event["body"],
            now=now,
        )
        await self._store.put(DELIVERIES, _attempt_item(endpoint, order, work.delivery, outcome))
        if outcome.delivered:
            await self._delivered(endpoint, order, work, outcome)
        else:
            await self._failed(endpoint, order, work, outcome)

    async def _delivered(self, endpoint: Endpoint, order: Order, work: Work, outcome: Outcome) -> None:
        new = {"state": State.DELIVERED.value, "done": self._clock(), "code": outcome.status}
        await self._record(endpoint, order, new, gone=(*INDEXED, "next", "error"))
        if await self._health.succeeded(endpoint, work.webhook):
            await self._queue.send([jobs.lane(endpoint)])

    async def _failed(self, endpoint: Endpoint, order: Order, work: Work, outcome: Outcome) -> None:
        now = self._clock()
        new: Item = {"error": outcome.error, **({"code": outcome.status} if outcome.status else {})}
        tripped = 0
        if outcome.gone:
            await self._health.disable(endpoint, work.webhook, Off.GONE, now)
        else:
            tripped = await self._health.failed(endpoint, now)
        made = order.made + 1
        wait = wait_after(made - work.delivery.get("base", 0), self._luck(), outcome.wait)
        if outcome.gone or wait is None:
            new |= {"state": State.FAILED.value, "done": now}
            await self._record(endpoint, order, new, gone=(*INDEXED, "next"))
        else:
            new |= {"next": now + wait, **_due_after(endpoint, now, wait)}
            if await self._record(endpoint, order, new):
                await self._order_next(endpoint, work.delivery | new | {"n": made}, now)
        if tripped:
            seconds = min(MOST_DELAY_SECONDS, -(-(tripped - now) // SECOND) + 1)
            await self._queue.send([jobs.lane(endpoint, delay_seconds=seconds)])

    async def _order_next(self, endpoint: Endpoint, delivery: Item, now: int) -> None:
        """Order the next attempt, if it comes so soon that the queue can wait for it; else the timer will."""
        seconds = max(0, -(-(delivery.get("next", now) - now) // SECOND))
        if seconds <= MOST_DELAY_SECONDS:
            await self._queue.send([jobs.attempt(endpoint, delivery, delay_seconds=seconds)])

    async def _give_up(self, endpoint: Endpoint, order: Order, why: str) -> None:
        new = {"state": State.FAILED.value, "done": self._clock(), "error": why}
        key, seen = delivery_key(endpoint, order.delivery), {"state": State.PENDING.value, "n": order.made}
        await self._store.change(DELIVERIES, key, new, seen, gone=(*INDEXED, "next"))

    async def _record(self, endpoint: Endpoint, order: Order, new: Item, *, gone: tuple[str, ...] = ()) -> bool:
        """Count the attempt; False when another process had made the same one and told first."""
        key, seen = delivery_key(endpoint, order.delivery), {"state": State.PENDING.value, "n": order.made}
        return await self._store.change(DELIVERIES, key, new | {"n": order.made + 1}, seen, gone=gone)


def _due_after(endpoint: Endpoint, now: int, wait: int) -> dict[str, str]:
    """What is ordered through the queue is due only in case that the order gets lost."""
    return due(endpoint, now + wait + (LOST_AFTER if wait <= MOST_DELAY_SECONDS * SECOND else 0))


def _attempt_item(endpoint: Endpoint, order: Order, delivery: Item, outcome: Outcome) -> Item:
    item: Item = {
        **attempt_key(endpoint, order.delivery, order.made + 1),
        "at": outcome.at,
        "status": outcome.status,
        "latency_ms": outcome.latency_ms,
        "error": outcome.error,
        "answer": outcome.answer.decode(errors="replace"),
        "truncated": outcome.truncated,
        "ttl": delivery["ttl"],
    }
    return {name: value for name, value in item.items() if value not in (None, "", False)}
