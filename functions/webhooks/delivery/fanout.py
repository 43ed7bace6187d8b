"""Fan-out: finds an event's webhooks, writes a delivery for each, and enqueues its first attempt."""

from dataclasses import dataclass

from callmissed.aws.queues import Message, Sending
from callmissed.clock import SECOND, Clock, Micros
from callmissed.events.types import WebhookDisabled, matches
from functions.webhooks.delivery.concurrency import gather_limited
from functions.webhooks.delivery.jobs import AttemptJob
from functions.webhooks.storage.records import Delivery, State, Webhook, delivery_id
from functions.webhooks.storage.repository import Repository

_ENQUEUED_WITHIN = 60 * SECOND
_SKEW = 10 * SECOND


@dataclass(frozen=True, slots=True)
class PublishedEvent:
    """An event as the bus carries it. `created` is in epoch microseconds, `bot_id` the bot that the event is about."""

    id: str
    tenant: str
    type: str
    created: Micros
    bot_id: str | None = None


class Fanout:
    """Fans events out to their tenants' webhooks. Safe to repeat: event and webhook determine a delivery's id."""

    def __init__(self, repository: Repository, queue: Sending, clock: Clock) -> None:
        self._repository = repository
        self._queue = queue
        self._clock = clock

    async def fan_out(self, event: PublishedEvent, *, redelivered: bool) -> None:
        """Write the deliveries of `event` and enqueue their attempts. Raises Unavailable, QueueUnavailable.

        The process that wrote an existing delivery has enqueued it, which may have failed when this message was
        `redelivered`, or when the event is published again long after.
        """
        now = self._clock()
        uncertain = redelivered or now - event.created > _ENQUEUED_WITHIN
        webhooks = await self._repository.webhooks.of_tenant(event.tenant)
        chosen = [webhook for webhook in webhooks if _wants(webhook, event)]
        jobs = await gather_limited([self._write(webhook, event, now, uncertain=uncertain) for webhook in chosen])
        await self._queue.send([job for job in jobs if job])

    async def _write(self, webhook: Webhook, event: PublishedEvent, now: Micros, *, uncertain: bool) -> Message | None:
        open_until = webhook.open_until or 0
        waits = not webhook.active or open_until > now
        delivery = _new_delivery(webhook, event, State.PARKED if waits else State.PENDING)
        if waits:
            # The mark is written first, as in `Parking.park`.
            await self._repository.deliveries.mark_parked(webhook.endpoint, Micros(max(open_until, now)))
        existing = await self._repository.deliveries.put_new(delivery)
        if existing and not uncertain:
            return None
        delivery = existing or delivery
        return AttemptJob.of(delivery).message() if delivery.state is State.PENDING else None


def _new_delivery(webhook: Webhook, event: PublishedEvent, state: State) -> Delivery:
    return Delivery(
        endpoint=webhook.endpoint,
        id=delivery_id(event.created, event.id, webhook.endpoint.webhook),
        event_id=event.id,
        event_type=event.type,
        created_at=event.created,
        state=state,
    )


def _wants(webhook: Webhook, event: PublishedEvent) -> bool:
    if webhook.created_at > event.created + _SKEW:
        return False  # the event is published again long after, and the webhook is younger
    if event.type == WebhookDisabled.event and webhook.disabled_at == event.created:
        return False  # the event is about this webhook
    if webhook.bot_id not in (None, event.bot_id):
        return False
    return any(matches(pattern, event.type) for pattern in webhook.events)
