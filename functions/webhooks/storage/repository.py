"""Every read and conditional write of webhooks and deliveries. Items are decoded here, once."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from callmissed.aws.attributes import Item, from_item, to_item
from callmissed.aws.database import Database
from callmissed.events.outbox import Event, event_of
from callmissed.platform.tables import DELIVERIES, OUTBOX, WEBHOOKS, Table
from callmissed.tenants.status import stops_deliveries, webhooks_key
from functions.webhooks.storage.deliveries import DeliveryRepository
from functions.webhooks.storage.due import DueRepository
from functions.webhooks.storage.records import Delivery, Endpoint, Webhook, delivery_key
from functions.webhooks.storage.replays import ReplayRepository
from functions.webhooks.storage.webhooks import WebhookRepository


@dataclass(frozen=True, slots=True)
class AttemptContext:
    """Records that an attempt needs; None for one that does not exist.

    `is_stopped` says that the tenant is not active, so that its webhooks get nothing.
    """

    webhook: Webhook | None
    delivery: Delivery | None
    event: Event | None
    is_stopped: bool = False


class Repository:
    """The records of one stage. Every method raises Unavailable when DynamoDB does not answer."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.webhooks = WebhookRepository(database)
        self.deliveries = DeliveryRepository(database)
        self.replays = ReplayRepository(database)
        self.due = DueRepository(database)

    async def attempt_context(self, endpoint: Endpoint, delivery_id: str, event_id: str) -> AttemptContext:
        """Webhook, delivery and the tenant's mark, strongly consistent, and the event, in one round trip.

        A missing item is read again alone: a replica may not have the event yet, and a busy table leaves keys out.
        """
        mark = webhooks_key(endpoint.tenant)
        keys: Sequence[tuple[Table, Sequence[Item]]] = (
            (WEBHOOKS, (endpoint.key, mark)),
            (DELIVERIES, (delivery_key(endpoint, delivery_id),)),
            (OUTBOX, ({"id": event_id},)),
        )
        name = self.database.name
        asked = {
            name(table): {"Keys": list(map(to_item, each)), "ConsistentRead": table is not OUTBOX}
            for table, each in keys
        }
        answer = await self.database.dynamodb.call("BatchGetItem", {"RequestItems": asked})
        found = {table: [from_item(item) for item in answer["Responses"].get(name(table), ())] for table, _ in keys}
        webhook, delivery, event = [
            _with_key(found[table], each[0]) or await self.database.get(table, each[0]) for table, each in keys
        ]
        marked = _with_key(found[WEBHOOKS], mark)
        if not marked and name(WEBHOOKS) in answer.get("UnprocessedKeys", {}):
            marked = await self.database.get(WEBHOOKS, mark)
        return AttemptContext(
            Webhook.of(webhook) if webhook else None,
            Delivery.of(delivery) if delivery else None,
            _event(event),
            stops_deliveries(marked),
        )

    async def is_stopped(self, tenant: str) -> bool:
        """Whether the tenant's webhooks get nothing, because the tenant is not active. Strongly consistent."""
        return stops_deliveries(await self.database.get(WEBHOOKS, webhooks_key(tenant)))

    async def event(self, event_id: str) -> Event | None:
        """The event in the outbox, strongly consistent."""
        return _event(await self.database.get(OUTBOX, {"id": event_id}))


def _with_key(items: Iterable[Item], key: Item) -> Item:
    nothing: Item = {}
    return next((item for item in items if key.items() <= item.items()), nothing)


def _event(item: Item) -> Event | None:
    return event_of(item) if item else None
