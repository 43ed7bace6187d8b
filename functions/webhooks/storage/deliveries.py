"""Reads and conditional writes of deliveries, their attempts, and the mark that a webhook has parked deliveries."""

from dataclasses import dataclass

from callmissed.aws.attributes import Item, from_item
from callmissed.aws.comparisons import Comparison, begins_with, between
from callmissed.aws.database import Database
from callmissed.aws.dynamodb import TransactionCanceled
from callmissed.aws.operations import WriteOperation, put_new_operation, update_operation
from callmissed.clock import Micros
from callmissed.platform.tables import DELIVERIES, DUE
from functions.webhooks.storage.records import (
    DELIVERY,
    INDEXED,
    PARKED,
    Attempt,
    Delivery,
    Endpoint,
    IndexedDelivery,
    ParkedDeliveries,
    State,
    attempt_prefix,
    delivery_key,
)


@dataclass(frozen=True, slots=True)
class DeliveryPage:
    """Deliveries, newest event first; `scanned` were read before the filter. `last` is the last sort key read.

    Without `last` this is the last page.
    """

    deliveries: list[Delivery]
    scanned: int
    last: str | None


class DeliveryRepository:
    """The deliveries of one stage. Every method raises Unavailable when DynamoDB does not answer.

    A write that returns a bool returns False when the delivery's state or number of attempts has changed.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, endpoint: Endpoint, delivery_id: str) -> Delivery | None:
        """The delivery, strongly consistent."""
        item = await self._database.get(DELIVERIES, delivery_key(endpoint, delivery_id))
        return Delivery.of(item) if item else None

    async def page(
        self, endpoint: Endpoint, lower: str, upper: str, limit: int, *, state: str | None, event: str | None
    ) -> DeliveryPage:
        """Of the next `limit` deliveries with sort keys from `lower` to `upper`, those in `state`.

        `event` is their type, or a filter such as `message.*`.
        """
        page = await self._database.page(
            DELIVERIES,
            endpoint.partition,
            sort=between(lower, upper),
            where=_filters(state, event),
            newest_first=True,
            limit=limit,
        )
        last = from_item(page.next or {}).get("item")
        return DeliveryPage([Delivery.of(item) for item in page.items], page.scanned, last)

    async def attempts(self, endpoint: Endpoint, delivery_id: str) -> list[Attempt]:
        """The delivery's attempts in order, strongly consistent."""
        prefix = begins_with(attempt_prefix(delivery_id))
        query = self._database.query(DELIVERIES, endpoint.partition, sort=prefix, consistent=True)
        return [Attempt.of(item) async for item in query]

    async def put_new(self, delivery: Delivery, due_at: Micros | None = None) -> Delivery | None:
        """Write the delivery, which the scheduler enqueues at `due_at`; returns the existing one, if any."""
        due = {} if due_at is None else delivery.endpoint.due(due_at)
        existing = await self._database.put_new(DELIVERIES, delivery.item | due)
        return Delivery.of(existing) if existing else None

    async def put_copy(self, copy: Delivery, due_at: Micros, audit: WriteOperation) -> bool:
        """Write a delivery that repeats another one, and `audit` it; False when it exists."""
        item = copy.item | copy.endpoint.due(due_at)
        try:
            await self._database.transact([put_new_operation(DELIVERIES, item), audit])
        except TransactionCanceled:
            return False
        return True

    async def put_attempt(self, delivery: Delivery, attempt: Attempt) -> None:
        """Write the attempt, replacing one with the same number."""
        await self._database.put(DELIVERIES, attempt.item(delivery))

    async def record_success(self, delivery: Delivery, status_code: int | None, now: Micros) -> bool:
        """Count the attempt that delivered."""
        done = DELIVERY.encode(
            state=State.DELIVERED, finished_at=now, status_code=status_code, attempts=delivery.attempts + 1
        )
        return await self._end(delivery, done, "next_attempt_at", "error")

    async def record_retry(self, before: Delivery, after: Delivery, due_at: Micros) -> bool:
        """Count a failed attempt which another one follows; the scheduler enqueues that one at `due_at`."""
        values, removed = DELIVERY.changes(before, after)
        return await self._update(before, values | before.endpoint.due(due_at), removed)

    async def record_failure(self, delivery: Delivery, status_code: int | None, error: str | None, now: Micros) -> bool:
        """Count the last attempt, which failed."""
        done = DELIVERY.encode(
            state=State.FAILED,
            finished_at=now,
            error=error,
            status_code=status_code,
            attempts=delivery.attempts + 1,
        )
        return await self._end(delivery, done, "next_attempt_at")

    async def give_up(self, delivery: Delivery, error: str, now: Micros) -> bool:
        """Fail a delivery that can't be attempted."""
        done = DELIVERY.encode(state=State.FAILED, finished_at=now, error=error)
        return await self._end(delivery, done, "next_attempt_at")

    async def park(self, delivery: Delivery) -> bool:
        """Park a pending delivery."""
        return await self._update(delivery, delivery.parked, DELIVERY.names("next_attempt_at"))

    async def release(self, delivery: IndexedDelivery, due_at: Micros) -> bool:
        """Make a parked delivery pending again; the scheduler enqueues it at `due_at`."""
        pending = DELIVERY.encode(state=State.PENDING) | delivery.endpoint.due(due_at)
        return await self._update(delivery, pending, expected=State.PARKED)

    async def recover(self, delivery: Delivery, due_at: Micros) -> bool:
        """Make a failed delivery pending again, with a new schedule; the scheduler enqueues it at `due_at`."""
        pending = DELIVERY.encode(state=State.PENDING, attempts_before_recovery=delivery.attempts)
        return await self._update(
            delivery, pending | delivery.endpoint.due(due_at), DELIVERY.names("finished_at"), expected=State.FAILED
        )

    async def parked(self, endpoint: Endpoint) -> ParkedDeliveries | None:
        """The mark that the webhook has parked deliveries, strongly consistent."""
        item = await self._database.get(DELIVERIES, endpoint.parked_key)
        return ParkedDeliveries.of(item) if item else None

    async def oldest_parked(self, endpoint: Endpoint, limit: int) -> list[IndexedDelivery]:
        """Some of the oldest parked deliveries, as the index shows them."""
        page = await self._database.page(DELIVERIES, endpoint.parked_shard, index=DUE, limit=limit)
        return [IndexedDelivery.of(item) for item in page.items]

    async def mark_parked(self, endpoint: Endpoint, moment: Micros) -> None:
        """Mark that deliveries were parked, to be checked from `moment`, unless another moment is marked.

        The revision is incremented, so that a process which found no parked delivery before does not remove the mark.
        """
        await self._database.update_if(
            DELIVERIES,
            endpoint.parked_key,
            set_missing=endpoint.due(moment),
            add=PARKED.encode(revision=1),
            upsert=True,
        )

    async def schedule_parked(self, endpoint: Endpoint, moment: Micros) -> None:
        """Let parked deliveries be checked at `moment`, at any revision."""
        await self._database.update_if(DELIVERIES, endpoint.parked_key, set=endpoint.due(moment))

    async def record_empty(self, parked: ParkedDeliveries, since: Micros, moment: Micros) -> None:
        """Record that no parked delivery was found, and let the next check be at `moment`."""
        empty = PARKED.encode(empty_revision=parked.revision, empty_since=since)
        endpoint = parked.endpoint
        await self._database.update_if(DELIVERIES, endpoint.parked_key, set=endpoint.due(moment) | empty)

    async def remove_parked(self, parked: ParkedDeliveries) -> None:
        """Remove the mark, unless deliveries were parked since. A new mark has a new count and another due time."""
        expected = PARKED.encode(revision=parked.revision) | {"due": parked.due}
        await self._database.delete_if(DELIVERIES, parked.endpoint.parked_key, expected=expected)

    async def _end(self, delivery: Delivery, values: Item, *removed: str) -> bool:
        return await self._update(delivery, values, (*INDEXED, *DELIVERY.names(*removed)))

    async def _update(
        self,
        delivery: IndexedDelivery,
        values: Item,
        removed: tuple[str, ...] = (),
        *,
        expected: State = State.PENDING,
    ) -> bool:
        unchanged = DELIVERY.encode(state=expected, attempts=delivery.attempts)
        return await self._database.update_if(DELIVERIES, delivery.key, set=values, remove=removed, expected=unchanged)


def resume_operation(endpoint: Endpoint, now: Micros) -> WriteOperation:
    """The operation that lets parked deliveries be checked from `now`, whether any are marked or not."""
    return update_operation(
        DELIVERIES, endpoint.parked_key, set=endpoint.due(now), add=PARKED.encode(revision=1), upsert=True
    )


def _filters(state: str | None, event: str | None) -> dict[str, Comparison | str]:
    filters: dict[str, Comparison | str] = DELIVERY.encode(state=state)
    if event is None or event == "*":
        return filters
    wanted = begins_with(event.removesuffix("*")) if event.endswith(".*") else event
    return filters | DELIVERY.encode(event_type=wanted)
