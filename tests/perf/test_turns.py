"""What a turn asks of DynamoDB beside the model's call: round trips and write units, which no history makes more."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from callmissed.platform.tables import MESSAGES
from functions.bots.conversations.messages import MessageState, StoredMessage, outbound_id, to_message_item
from local.aws.tables import StageTables
from local.fakes.graph.fake import FakeGraph
from tests.support.bots.turns import BotProcess, Chat
from tests.support.bots.write_units import UnitCountingDynamoDB
from tests.support.inference.gateway import REGION, Accounts, settings_for
from tests.support.inference.upstream import FakeUpstream

MAX_ROUND_TRIPS, MAX_WRITE_UNITS = 8, 16
OWN_TABLES = ("bots", "conversations", "messages", "outbox")


@pytest.fixture(scope="module")
def graph() -> Iterator[FakeGraph]:
    with FakeGraph().serving() as graph:
        yield graph


@pytest_asyncio.fixture
async def chat(
    store: StageTables, providers_file: Path, graph: FakeGraph, accounts: Accounts, upstream: FakeUpstream
) -> AsyncIterator[Chat]:
    """A conversation whose worker's requests are counted."""
    dynamodb = UnitCountingDynamoDB(REGION, store.endpoint, *OWN_TABLES)
    process = BotProcess(settings_for(store, providers_file), dynamodb, graph)
    yield await Chat(process, await accounts.account(), accounts.dynamodb, store.stage).open()
    await process.close()


async def asked(chat: Chat, text: str) -> UnitCountingDynamoDB:
    """The requests of one turn."""
    counted = chat.process.dynamodb
    assert isinstance(counted, UnitCountingDynamoDB)
    counted.requests.clear()
    await chat.asks(text)
    assert await chat.outcome() == ("answered", None)
    return counted


async def test_turn_of_one_part_keeps_its_budget(chat: Chat) -> None:
    first = await asked(chat, "One?")
    assert (first.round_trips, first.write_units) == (8, 18)  # the transaction that counts the conversation is 4 units

    later = await asked(chat, "Two?")

    assert (later.round_trips, later.write_units) == (7, 14)
    assert later.round_trips <= MAX_ROUND_TRIPS
    assert later.write_units <= MAX_WRITE_UNITS


async def test_reads_do_not_grow_with_the_history(chat: Chat) -> None:
    await asked(chat, "One?")
    short = [operation for operation, _ in (await asked(chat, "Two?")).requests]
    for number in range(200):
        now = chat.process.clock()
        message = StoredMessage(
            chat.tenant, chat.id, outbound_id(now), "user", "text", MessageState.RECEIVED, now, text=f"{number}" * 20
        )
        await chat.database.put(MESSAGES, to_message_item(message))

    long = await asked(chat, "Three?")

    assert [operation for operation, _ in long.requests] == short
    [query] = [request for operation, request in long.requests if operation == "Query"]
    assert query["Limit"] == 50
