"""What waited in a queue when the desk ended is ordered again at its next start."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from callmissed.aws.attributes import Item, to_item
from callmissed.aws.dynamodb import DynamoDB
from callmissed.aws.queues import Message
from callmissed.platform.tables import DELIVERIES, physical_name
from functions.webhooks.records import LANE, REPLAY, Endpoint, State, due, new_delivery
from local.engines import Store
from local.recovery import send_again

ENDPOINT = Endpoint("tnt_1", "wh_1")
EVENT: Item = {"id": "evt_1", "type": "budget.alert", "created": 1_800_000_000_000_000}


class Outgoing:
    """A queue that remembers what was sent."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []

    async def send(self, messages: Sequence[Message]) -> None:
        self.bodies += [message.body for message in messages]


@pytest.fixture
async def dynamodb(tables: Store) -> AsyncIterator[DynamoDB]:
    client = DynamoDB("us-east-1", tables.endpoint)
    yield client
    await client.close()


async def test_everything_unfinished_that_no_timer_starts_is_ordered(dynamodb: DynamoDB, tables: Store) -> None:
    def delivery(id: str, state: State) -> Item:
        return new_delivery(ENDPOINT, id, EVENT, state)

    later = due(ENDPOINT, EVENT["created"])
    waiting = [
        {**delivery("dlv_tried", State.PENDING), "n": 2},
        {"webhook": ENDPOINT.partition, "item": LANE},
        {"webhook": ENDPOINT.partition, "item": f"{REPLAY}rpl_1"},
    ]
    others = [
        {**delivery("dlv_due", State.PENDING), **later},
        *(delivery(f"dlv_{state}", state) for state in (State.PARKED, State.DELIVERED, State.FAILED)),
        {"webhook": Endpoint("tnt_1", "wh_2").partition, "item": LANE, **later},
        {"webhook": ENDPOINT.partition, "item": "A#dlv_tried#01"},
    ]
    for item in [*waiting, *others]:
        request = {"TableName": physical_name(tables.stage, DELIVERIES), "Item": to_item(item)}
        await dynamodb.call("PutItem", request)
    outgoing = Outgoing()
    assert await send_again(dynamodb, tables.stage, outgoing) == len(waiting)
    orders = {body["do"]: body for body in outgoing.bodies}
    assert orders.keys() == {"attempt", "lane", "replay"}
    assert orders["attempt"] == {"do": "attempt", "t": "tnt_1", "w": "wh_1", "d": "dlv_tried", "e": "evt_1", "n": 2}
    assert orders["replay"]["r"] == "rpl_1"
