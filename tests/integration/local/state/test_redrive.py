"""Jobs that waited in a queue when the local stack ended are enqueued again at its next start."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from callmissed.aws.attributes import Item, to_item
from callmissed.aws.database import Database
from callmissed.aws.dynamodb import DynamoDB
from callmissed.aws.queues import Message
from callmissed.clock import MINUTE, Micros
from callmissed.platform.tables import DELIVERIES, physical_name
from functions.webhooks.storage.records import LOST_AFTER, REPLAY_PREFIX, Endpoint, State
from local.aws.tables import StageTables
from local.state.redrive import redrive_deliveries
from tests.support.webhooks.items import new_delivery

NOW = Micros(1_800_000_600_000_000)
ENDPOINT = Endpoint("tnt_1", "wh_1")
EVENT: Item = {"id": "evt_1", "type": "budget.alert", "created": 1_800_000_000_000_000}


class Outgoing:
    """A queue that remembers what was sent."""

    def __init__(self) -> None:
        self.messages: list[Message] = []

    async def send(self, messages: Sequence[Message]) -> None:
        self.messages += messages

    @property
    def bodies(self) -> list[dict[str, Any]]:
        return [message.body for message in self.messages]


@pytest.fixture
async def dynamodb(tables: StageTables) -> AsyncIterator[DynamoDB]:
    client = DynamoDB("us-east-1", tables.endpoint)
    yield client
    await client.close()


async def put(dynamodb: DynamoDB, tables: StageTables, *rows: Item) -> None:
    for item in rows:
        request = {"TableName": physical_name(tables.stage, DELIVERIES), "Item": to_item(item)}
        await dynamodb.call("PutItem", request)


def delivery(id: str, state: State = State.PENDING, **more: Any) -> Item:
    return new_delivery(ENDPOINT, id, EVENT, state) | more


async def test_everything_unfinished_is_enqueued(dynamodb: DynamoDB, tables: StageTables) -> None:
    later = ENDPOINT.due(Micros(NOW + LOST_AFTER))
    waiting = [
        delivery("dlv_tried", n=2),
        {**ENDPOINT.parked_key, **later},
        {"webhook": ENDPOINT.partition, "item": f"{REPLAY_PREFIX}rpl_1", **later},
    ]
    others = [
        *(delivery(f"dlv_{state.value}", state) for state in (State.PARKED, State.DELIVERED, State.FAILED)),
        {"webhook": ENDPOINT.partition, "item": "A#dlv_tried#01"},
    ]
    await put(dynamodb, tables, *waiting, *others)
    outgoing = Outgoing()
    assert await redrive_deliveries(Database(dynamodb, tables.stage), outgoing, NOW) == len(waiting)
    jobs = {body["do"]: body for body in outgoing.bodies}
    assert jobs.keys() == {"attempt", "parked", "replay"}
    assert jobs["attempt"] == {"do": "attempt", "t": "tnt_1", "w": "wh_1", "d": "dlv_tried", "e": "evt_1", "n": 2}
    assert jobs["replay"]["r"] == "rpl_1"


async def test_a_retry_is_enqueued_for_its_own_time(dynamodb: DynamoDB, tables: StageTables) -> None:
    def retry(id: str, next: int) -> Item:
        return delivery(id, n=1, next=next) | ENDPOINT.due(Micros(next + LOST_AFTER))

    await put(
        dynamodb,
        tables,
        retry("dlv_overdue", NOW - MINUTE),
        retry("dlv_soon", NOW + 5 * MINUTE),
        retry("dlv_later", NOW + 120 * MINUTE),
    )
    outgoing = Outgoing()
    await redrive_deliveries(Database(dynamodb, tables.stage), outgoing, NOW)
    delays = {message.body["d"]: message.delay_seconds for message in outgoing.messages}
    assert delays == {"dlv_overdue": 0, "dlv_soon": 300}
