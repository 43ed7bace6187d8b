"""The fan-out: finds an event's webhooks, writes a delivery for each, and orders its first attempt."""

from functools import cache
from typing import Any

from callmissed.aws.attributes import Item
from callmissed.aws.batches import Failures, Received, each_message
from callmissed.aws.database import Database
from callmissed.aws.dynamodb import DynamoDB
from callmissed.aws.queues import Message, Sending, SqsQueue
from callmissed.aws.runtime import run
from callmissed.clock import SECOND, Clock, system_clock
from callmissed.events.types import WebhookDisabled, matches
from callmissed.observability import get_logger
from callmissed.platform.queues import DISPATCH
from callmissed.platform.tables import DELIVERIES
from callmissed.settings import from_environment
from functions.webhooks import messages
from functions.webhooks.items import webhooks_of
from functions.webhooks.records import Endpoint, State, delivery_id, new_delivery
from functions.webhooks.store import Store, at_once

_ORDERED_WITHIN = 60 * SECOND
_SKEW = 10 * SECOND
_logger = get_logger("event-fanout")


class Fanout:
    """Fans events of one stage out to their tenants' webhooks. Safe to repeat: a delivery's id follows from both."""

    def __init__(self, store: Store, queue: Sending, clock: Clock) -> None:
        self._store = store
        self._queue = queue
        self._clock = clock

    async def fan_out(self, event: Item, *, again: bool) -> None:
        """Write the deliveries of `event` (id, tenant, type, created) and order their attempts.

        A delivery that is there already was ordered by whoever wrote it. That may have failed when this message comes
        `again`, or when the event is told a second time long after.
        """
        now = self._clock()
        doubtful = again or now - event["created"] > _ORDERED_WITHIN
        owned = await webhooks_of(self._store.database, event["tenant"])
        chosen = [webhook for webhook in owned if _wants(webhook, event)]
        orders = await at_once([self._write(webhook, event, now, doubtful=doubtful) for webhook in chosen])
        await self._queue.send([order for order in orders if order])

    async def _write(self, webhook: Item, event: Item, now: int, *, doubtful: bool) -> Message | None:
        endpoint = Endpoint(webhook["tenant"], webhook["webhook"])
        waits = not webhook["active"] or webhook.get("open", 0) > now
        id = delivery_id(event["created"], event["id"], endpoint.webhook)
        delivery = new_delivery(endpoint, id, event, State.PARKED if waits else State.PENDING)
        if waits:
            await self._store.keep_lane(endpoint, max(webhook.get("open", 0), now))  # first, as in `Lanes.park`
        before = await self._store.put_new(DELIVERIES, delivery)
        if before:
            delivery = before if doubtful else {}
        return messages.attempt(endpoint, delivery) if delivery.get("state") == State.PENDING else None


def _wants(webhook: Item, event: Item) -> bool:
    if webhook["created_at"] > event["created"] + _SKEW:
        return False  # the event is told again long after, and the webhook is younger
    if event["type"] == WebhookDisabled.event and webhook.get("off_at") == event["created"]:
        return False  # it is about this one
    return any(matches(pattern, event["type"]) for pattern in webhook["events"])


def handler(event: dict[str, Any], _context: object) -> Failures:
    """Fan out a batch of events, as the bus wrote them into the queue."""
    return run(each_message(event, _one, _logger))


async def _one(received: Received) -> None:
    await _fanout().fan_out(received.body["detail"], again=received.again)


@cache
def _fanout() -> Fanout:
    settings = from_environment()
    store = Store(Database(DynamoDB(settings.region, settings.dynamodb_endpoint), settings.stage))
    return Fanout(store, SqsQueue(settings, DISPATCH), system_clock)
