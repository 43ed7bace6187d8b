"""Reads and redelivers a webhook's deliveries."""

import re
from dataclasses import dataclass

from callmissed.audit.events import Actor, AuditEvent, audit_operation
from callmissed.aws.queues import Sending
from callmissed.clock import Micros
from callmissed.events.outbox import RETENTION, Event
from callmissed.idempotency.operation import Operation
from functions.webhooks.deliveries.cursors import before, cursor_after, is_delivery_id, key_behind
from functions.webhooks.deliveries.errors import (
    delivery_not_found,
    event_expired,
    webhook_inactive,
    webhook_not_found,
)
from functions.webhooks.delivery.enqueue import SAFETY_DELAY, enqueue_best_effort
from functions.webhooks.delivery.jobs import AttemptJob
from functions.webhooks.storage.records import (
    FIRST_DELIVERY,
    LAST_DELIVERY,
    Attempt,
    Delivery,
    Endpoint,
    State,
    Webhook,
    WebhookStatus,
    delivery_id,
    key_before,
)
from functions.webhooks.storage.repository import Repository

MAX_READ = 2000
"""Maximum deliveries that one request reads; the next page continues after them."""

_CHUNK = 200
_WEBHOOK_ID = re.compile(r"wh_[0-9a-f]{24}")


@dataclass(frozen=True, slots=True)
class DeliveryFilter:
    """Deliveries in `status`, of the event type or filter `event`, of events from `since` to before `until`.

    Both moments are epoch microseconds.
    """

    status: str | None = None
    event: str | None = None
    since: Micros | None = None
    until: Micros | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Deliveries, newest event first; `cursor` is None on the last page."""

    deliveries: list[Delivery]
    cursor: str | None


async def find_webhook(repository: Repository, endpoint: Endpoint) -> Webhook:
    """The webhook. Raises ApiError 404 and Unavailable."""
    found = await repository.webhooks.get(endpoint) if _WEBHOOK_ID.fullmatch(endpoint.webhook) else None
    if not found:
        raise webhook_not_found()
    return found


class Deliveries:
    """The deliveries of one stage. Every method raises Unavailable when DynamoDB does not answer."""

    def __init__(self, repository: Repository, queue: Sending) -> None:
        self._repository = repository
        self._queue = queue

    async def webhook(self, endpoint: Endpoint) -> Webhook:
        """The webhook. Raises ApiError 404."""
        return await find_webhook(self._repository, endpoint)

    async def page(self, endpoint: Endpoint, wanted: DeliveryFilter, limit: int, cursor: str | None) -> Page:
        """At most `limit` deliveries behind `cursor`. With a selective filter a page may be short but not the last.

        Raises ApiError 422 for an invalid cursor.
        """
        lower, upper = _bounds(wanted, cursor)
        chunk = (
            _CHUNK if wanted.status or wanted.event else limit + 1
        )  # the one more says whether this page is the last
        found: list[Delivery] = []
        scanned = 0
        while lower <= upper:
            page = await self._repository.deliveries.page(
                endpoint, lower, upper, chunk, state=wanted.status, event=wanted.event
            )
            found += page.deliveries
            scanned += page.scanned
            if len(found) > limit:
                return Page(found[:limit], cursor_after(found[limit - 1].id))
            if page.last is None:
                break
            if scanned >= MAX_READ:
                return Page(found, cursor_after(page.last.removeprefix(FIRST_DELIVERY)))
            upper = before(page.last)
        return Page(found, None)

    async def get(self, endpoint: Endpoint, id: str) -> Delivery:
        """The delivery. Raises ApiError 404."""
        found = await self._repository.deliveries.get(endpoint, id) if is_delivery_id(id) else None
        if not found:
            raise delivery_not_found()
        return found

    async def attempts(self, endpoint: Endpoint, id: str) -> list[Attempt]:
        """The delivery's attempts in order."""
        return await self._repository.deliveries.attempts(endpoint, id)

    async def event(self, tenant: str, id: str, now: Micros) -> Event | None:
        """The tenant's event in the outbox; None when it expired."""
        event = await self._repository.event(id)
        kept = event and event.tenant == tenant and event.created + RETENTION > now
        return event if kept else None

    async def replay(self, webhook: Webhook, id: str, actor: Actor, now: Micros, operation: Operation) -> str:
        """Id of a new delivery that sends delivery `id` again; the same for the same `operation`.

        Raises ApiError 404, 400 for a webhook that is paused or disabled, 410 when the event is no longer kept.
        """
        endpoint = webhook.endpoint
        delivery = await self.get(endpoint, id)
        if webhook.status is not WebhookStatus.ACTIVE:
            raise webhook_inactive()
        event = await self.event(endpoint.tenant, delivery.event_id, now)
        if not event:
            raise event_expired()
        copy = Delivery(
            endpoint=endpoint,
            id=delivery_id(event.created, endpoint.partition, id, operation.id),
            event_id=event.id,
            event_type=event.type,
            created_at=event.created,
            state=State.PENDING,
            replay_of=id,
        )
        metadata = {"webhook_id": endpoint.webhook, "event_id": event.id, "new_delivery_id": copy.id}
        replayed = AuditEvent(endpoint.tenant, "webhook.delivery.replay", "webhook_delivery", id, actor, metadata)
        audit = audit_operation(replayed, now)
        # An existing one was written by an earlier try of the same request; the scheduler enqueues it.
        if await self._repository.deliveries.put_copy(copy, Micros(now + SAFETY_DELAY), audit):
            await enqueue_best_effort(self._queue, AttemptJob.of(copy).message())
        return copy.id


def _bounds(wanted: DeliveryFilter, cursor: str | None) -> tuple[str, str]:
    """The first and the last sort key to read."""
    lower = FIRST_DELIVERY if wanted.since is None else key_before(wanted.since)
    upper = LAST_DELIVERY if wanted.until is None else key_before(wanted.until)
    return lower, upper if cursor is None else min(upper, key_behind(cursor))
