"""Every read and conditional write of webhooks and deliveries. Items are decoded here, once."""

from collections.abc import Sequence
from dataclasses import dataclass

from callmissed.aws.attributes import Item, from_item, to_item
from callmissed.aws.database import Database
from callmissed.events.outbox import Event
from callmissed.platform.tables import DELIVERIES, OUTBOX, WEBHOOKS, Table
from functions.webhooks.storage.deliveries import DeliveryRepository
from functions.webhooks.storage.due import DueRepository
from functions.webhooks.storage.records import Delivery, Endpoint, Webhook, delivery_key
from functions.webhooks.storage.replays import ReplayRepository
from functions.webhooks.storage.webhooks import WebhookRepository


@dataclass(frozen=True, slots=True)
class AttemptContext:
    """Records that an attempt needs; None for one that does not exist."""

    webhook: Webhook | None
    delivery: Delivery | None
    event: Event | None


class Repository:
    """The records of one stage. Every method raises Unavailable when DynamoDB does not answer."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.webhooks = WebhookRepository(database)
        self.deliveries = DeliveryRepository(database)
        self.replays = ReplayRepository(database)
        self.due = DueRepository(database)

    async def attempt_context(self, endpoint: Endpoint, delivery_id: str, event_id: str) -> AttemptContext:
        """Webhook and delivery, strongly consistent, and the event, in one round trip.

        A missing item is read again alone: a replica may not have the event yet, and a busy table leaves keys out.
        """
        keys: Sequence[tuple[Table, Item]] = (
            (WEBHOOKS, endpoint.key),
            (DELIVERIES, delivery_key(endpoint, delivery_id)),
            (OUTBOX, {"id": event_id}),
        )
        name = self.database.name
        asked = {name(table): {"Keys": [to_item(key)], "ConsistentRead": table is not OUTBOX} for table, key in keys}
        answer = await self.database.dynamodb.call("BatchGetItem", {"RequestItems": asked})
        found = [(answer["Responses"].get(name(table)), table, key) for table, key in keys]
        webhook, delivery, event = [
            from_item(items[0]) if items else await self.database.get(table, key) for items, table, key in found
        ]
        return AttemptContext(
            Webhook.of(webhook) if webhook else None, Delivery.of(delivery) if delivery else None, _event(event)
        )

    async def event(self, event_id: str) -> Event | None:
        """The event in the outbox, strongly consistent."""
        return _event(await self.database.get(OUTBOX, {"id": event_id}))


def _event(item: Item) -> Event | None:
    if not item:
        return None
    return Event(item["id"], item["tenant"], item["type"], item["source"], item["created"], item["body"])
