"""Questions about a webhook's deliveries, and sending one again."""

from dataclasses import dataclass

from callmissed.aws.attributes import Item, from_item
from callmissed.aws.comparisons import Comparison, begins_with, between, equal
from callmissed.aws.database import Database, ItemPage
from callmissed.aws.dynamodb import TransactionCanceled
from callmissed.aws.operations import put_new_operation
from callmissed.aws.queues import Sending
from callmissed.events.outbox import RETENTION
from callmissed.idempotency.operation import Operation
from callmissed.platform.tables import DELIVERIES, OUTBOX
from functions.webhooks.delivery import jobs
from functions.webhooks.delivery.backstop import BACKSTOP, hasten
from functions.webhooks.delivery.cursors import before, cursor_after, is_delivery_id, key_behind
from functions.webhooks.delivery.errors import event_expired, inactive, no_such_delivery
from functions.webhooks.delivery.rendering import status_of
from functions.webhooks.delivery.time_range import key_before
from functions.webhooks.storage.records import (
    ATTEMPT,
    DELIVERY,
    Endpoint,
    State,
    delivery_id,
    delivery_key,
    due,
    new_delivery,
)

MOST_READ = 2000
"""Deliveries that one question looks at; the rest is left to the next page."""

_CHUNK = 200
_LAST = f"{DELIVERY}~"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which deliveries: in `status`, of the event type or filter `event`, of events from `since` to before `until`.

    Both moments are epoch microseconds.
    """

    status: str | None = None
    event: str | None = None
    since: int | None = None
    until: int | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Deliveries, newest event first; `cursor` is None on the last page."""

    deliveries: list[Item]
    cursor: str | None


class Deliveries:
    """The deliveries of one stage. Every method raises Unavailable when DynamoDB does not answer."""

    def __init__(self, database: Database, dispatch: Sending) -> None:
        self._database = database
        self._dispatch = dispatch

    async def page(self, endpoint: Endpoint, wanted: Wanted, limit: int, cursor: str | None) -> Page:
        """At most `limit` deliveries behind `cursor`. A page of rare ones may be short and not the last.

        Raises ApiError 422 for a cursor that is none.
        """
        lower, upper = _bounds(wanted, cursor)
        chunk = limit if wanted.status is None and wanted.event is None else _CHUNK
        found: list[Item] = []
        seen = 0
        while lower <= upper:
            answer = await self._read(endpoint, wanted, lower, upper, chunk)
            found += answer.items
            seen += answer.scanned
            last = from_item(answer.next or {}).get("item")
            if len(found) > limit or (last and len(found) == limit):
                return Page(found[:limit], cursor_after(_id(found[limit - 1]["item"])))
            if last is None:
                break
            if seen >= MOST_READ:
                return Page(found, cursor_after(_id(last)))
            upper = before(last)
        return Page(found, None)

    async def _read(self, endpoint: Endpoint, wanted: Wanted, lower: str, upper: str, limit: int) -> ItemPage:
        return await self._database.page(
            DELIVERIES,
            endpoint.partition,
            sort=between(lower, upper),
            where=_filters(wanted),
            newest_first=True,
            limit=limit,
        )

    async def get(self, endpoint: Endpoint, id: str) -> Item:
        """The delivery. Raises ApiError 404."""
        key = delivery_key(endpoint, id)
        delivery = await self._database.get(DELIVERIES, key) if is_delivery_id(id) else {}
        if not delivery:
            raise no_such_delivery()
        return delivery

    async def attempts(self, endpoint: Endpoint, id: str) -> list[Item]:
        """The delivery's attempts in order."""
        prefix = f"{ATTEMPT}{id}#"
        found = self._database.query(DELIVERIES, endpoint.partition, sort=begins_with(prefix), consistent=True)
        return [attempt async for attempt in found]

    async def event(self, tenant: str, id: str, now: int) -> Item:
        """The tenant's event as the outbox keeps it; empty when it is no longer kept."""
        event = await self._database.get(OUTBOX, {"id": id})
        kept = event and event["tenant"] == tenant and event["created"] + RETENTION > now
        return event if kept else {}

    async def replay(self, webhook: Item, id: str, now: int, operation: Operation) -> str:
        """Id of a new delivery that sends delivery `id` again; the same for the same `operation`.

        Raises ApiError 404, 400 for a webhook that is paused or disabled, 410 when the event is no longer kept.
        """
        endpoint = Endpoint(webhook["tenant"], webhook["webhook"])
        delivery = await self.get(endpoint, id)
        if status_of(webhook) != "active":
            raise inactive()
        event = await self.event(endpoint.tenant, delivery["event"], now)
        if not event:
            raise event_expired()
        again = delivery_id(event["created"], endpoint.partition, id, operation.id)
        row = new_delivery(endpoint, again, event, State.PENDING, origin=id)
        try:
            await self._database.transact([put_new_operation(DELIVERIES, row | due(endpoint, now + BACKSTOP))])
        except TransactionCanceled:
            return again  # an earlier try of the same request wrote it, and the timer looks after it
        await hasten(self._dispatch, jobs.attempt(endpoint, row))
        return again


def _filters(wanted: Wanted) -> dict[str, Comparison]:
    filters: dict[str, Comparison] = {}
    if wanted.status is not None:
        filters["state"] = equal(wanted.status)
    if wanted.event is not None and wanted.event != "*":
        prefixed = wanted.event.endswith(".*")
        filters["type"] = begins_with(wanted.event.removesuffix("*")) if prefixed else equal(wanted.event)
    return filters


def _bounds(wanted: Wanted, cursor: str | None) -> tuple[str, str]:
    """The first and the last sort key to look at."""
    lower = DELIVERY if wanted.since is None else key_before(wanted.since)
    upper = _LAST if wanted.until is None else key_before(wanted.until)
    return lower, upper if cursor is None else min(upper, key_behind(cursor))


def _id(key: str) -> str:
    return key.removeprefix(DELIVERY)
