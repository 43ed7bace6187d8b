"""What a message and a status of WhatsApp ask of DynamoDB: round trips, and write units as AWS bills them.

DynamoDB Local does not count a transaction's units, so they are computed: two for each item of a transaction, none of
which is over 1 KB here, and one for each entry of an index that appears, goes or is replaced (two for a replacement).
"""

import json
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio

from local.aws.tables import StageTables
from tests.integration.functions.bots.inbound.test_statuses import sent
from tests.support.bots.inbound import NUMBER, USER, Inbound, queued
from tests.support.counting import CountingDynamoDB
from tests.support.webhooks.callbacks import change, message, status


class WrittenItems(CountingDynamoDB):
    """Keeps what transactions wrote, by kind and table."""

    def __init__(self, endpoint: str) -> None:
        super().__init__("us-east-1", endpoint)
        self.written: list[str] = []

    async def send(self, operation: str, payload: bytes) -> dict[str, Any]:
        if operation == "TransactWriteItems":
            for item in json.loads(payload)["TransactItems"]:
                ((kind, request),) = item.items()
                self.written.append(f"{kind} {request['TableName'].rpartition('-')[2]}")
        return await super().send(operation, payload)


@pytest_asyncio.fixture
async def inbound(tables: StageTables) -> AsyncIterator[Inbound]:
    """A number with a bot, whose first message came before."""
    dynamodb = WrittenItems(tables.endpoint)
    inbound = Inbound(dynamodb, tables.stage)
    await inbound.connect()
    yield inbound
    await dynamodb.close()


async def measured(inbound: Inbound, worker: Any, value: dict[str, Any]) -> tuple[int, Counter[str]]:
    """Round trips and written items of one callback."""
    items = await inbound.post(change(NUMBER, **value))
    dynamodb = inbound.callbacks.dynamodb
    assert isinstance(dynamodb, WrittenItems)
    dynamodb.written.clear()
    count = dynamodb.restart()
    assert await worker.failures(queued(items)) == []
    return count.rounds, Counter(dynamodb.written)


def units(written: Counter[str], entries: int) -> int:
    """Write units of a transaction, and of `entries` written to indexes."""
    return 2 * written.total() + entries


async def test_a_text_takes_three_round_trips_and_ten_units(inbound: Inbound) -> None:
    worker = inbound.worker()
    await measured(inbound, worker, {"messages": [message("wamid.1")]})

    rounds, written = await measured(inbound, worker, {"messages": [message("wamid.2")]})

    assert (rounds, written) == (3, {"Put messages": 1, "Put outbox": 1, "Update conversations": 1})
    wamid, changed_replaced, due_appears = 1, 2, 1
    assert units(written, wamid + changed_replaced + due_appears) == 10


async def test_a_message_that_says_why_no_bot_answers_costs_no_more(inbound: Inbound) -> None:
    worker = inbound.worker()
    await measured(inbound, worker, {"messages": [message("wamid.1")]})

    rounds, written = await measured(inbound, worker, {"messages": [message("wamid.2", "")]})

    assert (rounds, written) == (3, {"Put messages": 1, "Put outbox": 1, "Update conversations": 1})
    last = (await inbound.conversation()).last_turn
    assert last
    assert last.reason == "empty_message"
    wamid, changed_replaced = 1, 2
    assert units(written, wamid + changed_replaced) == 9


async def test_first_text_of_an_end_user_takes_three_round_trips(inbound: Inbound) -> None:
    """The conversation, the two events, the count of the bot, and each name of the end user cost two units each."""
    worker = inbound.worker()
    await measured(inbound, worker, {"messages": [message("wamid.0") | {"from": "910"}]})

    rounds, written = await measured(inbound, worker, {"messages": [message("wamid.1")]})
    assert (rounds, written.total()) == (3, 6)
    wamid, changed, due, silence = 1, 1, 1, 1
    assert units(written, wamid + changed + due + silence) == 16

    rounds, written = await measured(
        inbound, worker, {"messages": [message("wamid.2") | {"from": "911", "from_user_id": USER}]}
    )
    assert (rounds, written.total()) == (3, 7)
    assert units(written, wamid + changed + due + silence) == 18


async def test_a_status_takes_three_round_trips_and_four_units(inbound: Inbound) -> None:
    out = await sent(inbound)
    ours = {"biz_opaque_callback_data": f"{out.conversation_id}:{out.id}"}

    rounds, written = await measured(inbound, inbound.worker(), {"statuses": [status("wamid.out", "read", **ours)]})

    assert (rounds, written) == (3, {"Update messages": 1, "Put outbox": 1})
    assert units(written, 0) == 4
