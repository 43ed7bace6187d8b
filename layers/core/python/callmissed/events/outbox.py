"""The outbox: an event is written in one transaction with the change that it reports.

An event is an item of the table `outbox`. Its stream triggers the relay, so that every event is published at least
once (the transactional outbox, https://microservices.io/patterns/data/transactional-outbox.html). The item keeps the
bytes of the body that webhooks get, for as long as the event can be replayed.
"""

import hashlib
import json
from dataclasses import dataclass

from callmissed.aws.attributes import Item
from callmissed.aws.database import Database
from callmissed.aws.operations import WriteOperation, put_new_operation
from callmissed.clock import SECOND, Micros, iso
from callmissed.events.types import EventData
from callmissed.ids import sortable_id
from callmissed.platform.queues import EVENT_SOURCE
from callmissed.platform.tables import OUTBOX

RETENTION = 30 * 24 * 3600 * SECOND
"""How long events can be replayed, in microseconds."""

_REMEMBERED = RETENTION + 2 * 24 * 3600 * SECOND
"""How long an event's id prevents a second event: longer than a month, for events that are published once a month."""

MAX_EVENT_BYTES = 200 * 1024
"""The maximum body: EventBridge accepts 256 KB with the envelope."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to `tenant` at `created`. `body` is the JSON that webhooks get.

    `bot_id` is the bot that the event is about, by which webhooks choose too.
    """

    id: str
    tenant: str
    type: str
    source: str
    created: Micros
    body: str
    bot_id: str | None = None


def new_event(tenant: str, data: EventData, now: Micros, *, unique: str | None = None) -> Event:
    """The event with this `data`. With `unique`, the same text makes the same id, so the event is published once.

    Raises ValueError for a body over `MAX_EVENT_BYTES`.
    """
    id = f"evt_{sortable_id(now)}" if unique is None else f"evt_{_digest(tenant, data.event, unique)}"
    content = {
        "id": id,
        "event": data.event,
        "version": data.version,
        "timestamp": iso(now),
        "data": data.model_dump(mode="json", by_alias=True),
    }
    body = checked_body(json.dumps(content, separators=(",", ":")))
    return Event(id, tenant, data.event, EVENT_SOURCE, now, body, getattr(data, "bot_id", None))


def checked_body(body: str) -> str:
    """`body`, if the bus can carry it. Raises ValueError."""
    if len(body.encode()) > MAX_EVENT_BYTES:
        raise ValueError(f"an event has at most {MAX_EVENT_BYTES} bytes")
    return body


def to_record(event: Event) -> Item:
    """The outbox's item for `event`."""
    return {
        "id": event.id,
        "tenant": event.tenant,
        "type": event.type,
        "source": event.source,
        "created": event.created,
        "body": event.body,
        "ttl": (event.created + _REMEMBERED) // SECOND,
        **({"bot_id": event.bot_id} if event.bot_id else {}),
    }


def event_of(item: Item) -> Event:
    """The event of an outbox's item."""
    return Event(
        item["id"], item["tenant"], item["type"], item["source"], item["created"], item["body"], item.get("bot_id")
    )


def publish_operation(event: Event) -> WriteOperation:
    """The operation that publishes `event` in one transaction with a state change."""
    return put_new_operation(OUTBOX, to_record(event))


async def publish(database: Database, event: Event) -> bool:
    """Publish `event` on its own; False when an event with its id was published before. Raises Unavailable."""
    return await database.write_if(publish_operation(event))


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]
