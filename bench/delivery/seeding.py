"""Webhooks, events and deliveries to measure with, written as the product writes them but many at a time."""

import itertools
from collections.abc import Iterable, Iterator
from typing import Any

from bench.ours import PEPPER, REGION, STAGE
from callmissed.aws.attributes import Item, to_item
from callmissed.aws.database import Database
from callmissed.aws.dynamodb import DynamoDB
from callmissed.clock import Micros, system_clock
from callmissed.events.outbox import Event, new_event, to_record
from callmissed.events.types import MessageReceived
from callmissed.ids import new_id
from callmissed.platform.tables import DELIVERIES, OUTBOX, WEBHOOKS, Table
from callmissed.sealing import Sealer
from functions.webhooks.delivery import signing
from functions.webhooks.delivery.concurrency import gather_limited
from functions.webhooks.storage.records import Delivery, Endpoint, SigningSecret, State, Webhook, delivery_id
from functions.webhooks.storage.repository import Repository

SEALING_KEY = PEPPER
DATA = MessageReceived.model_validate(MessageReceived.example)
_BATCH = 25
_WRITERS = 8


def sealer() -> Sealer:
    """Seals and unseals the benchmark's secrets."""
    return Sealer((bytes.fromhex(SEALING_KEY),))


def open_repository(endpoint: str) -> Repository:
    """The benchmark's tables at `endpoint`; patient, because a busy machine is no failure."""
    return Repository(Database(DynamoDB(REGION, endpoint, timeout_seconds=30.0), STAGE))


async def webhook(store: Repository, url: str, **more: Any) -> Endpoint:
    """A new tenant with one webhook that gets everything at `url`."""
    endpoint = Endpoint(new_id("tnt"), new_id("wh"))
    now = system_clock()
    webhook = Webhook(
        endpoint=endpoint,
        url=url,
        events=["*"],
        secrets=[SigningSecret(sealer().seal(signing.new_secret()))],
        created_at=now,
        updated_at=now,
        **more,
    )
    await store.database.put(WEBHOOKS, webhook.item)
    return endpoint


async def events(store: Repository, endpoint: Endpoint, count: int) -> list[Event]:
    """`count` events of the tenant, not fanned out yet."""
    now = system_clock()
    made = [new_event(endpoint.tenant, DATA, Micros(now + number)) for number in range(count)]
    await write(store, OUTBOX, map(to_record, made))
    return made


async def deliveries(
    store: Repository, endpoint: Endpoint, events: Iterable[Event], state: State, *, copies: int = 1
) -> list[Delivery]:
    """Deliveries of the events without attempts, each event's `copies` times."""
    made = [_delivery(endpoint, event, state, copy) for event in events for copy in range(copies)]
    await write(store, DELIVERIES, [delivery.item for delivery in made])
    return made


def _delivery(endpoint: Endpoint, event: Event, state: State, copy: int) -> Delivery:
    return Delivery(
        endpoint=endpoint,
        id=delivery_id(event.created, event.id, endpoint.webhook, str(copy)),
        event_id=event.id,
        event_type=event.type,
        created_at=event.created,
        state=state,
    )


async def write(store: Repository, table: Table, made: Iterable[Item]) -> None:
    """Write the items in batches. Raises RuntimeError when DynamoDB leaves any out."""
    batches = batched(made, _BATCH)
    await gather_limited([_write_all(store, table, batches) for _ in range(_WRITERS)])


async def _write_all(store: Repository, table: Table, batches: Iterator[list[Item]]) -> None:
    for batch in batches:
        puts = [{"PutRequest": {"Item": to_item(item)}} for item in batch]
        answer = await store.database.dynamodb.call(
            "BatchWriteItem", {"RequestItems": {store.database.name(table): puts}}
        )
        if answer.get("UnprocessedItems"):
            raise RuntimeError("DynamoDB left items out of a batch")


def batched(made: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """The items in lists of at most `size`."""
    remaining = iter(made)
    while batch := list(itertools.islice(remaining, size)):
        yield batch
