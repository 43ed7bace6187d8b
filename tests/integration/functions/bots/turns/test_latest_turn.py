"""The latest turn of a conversation when something else happens while it runs."""

import asyncio
from typing import Any

import pytest

from callmissed.aws.database import Database
from callmissed.aws.dynamodb import Unavailable
from callmissed.events.types import MessageError
from functions.bots.conversations.messages import StoredMessage
from functions.bots.conversations.records import EndUser, LastTurn, TurnState, to_last_turn
from functions.bots.inbound.parts import ReceivedStatus
from functions.bots.inbound.statuses import InboundStatuses
from tests.support.bots.turn_retries import dies_before, faulty, is_end, pass_minutes
from tests.support.bots.turns import Chat
from tests.support.inference.behaviours import completion, reply
from tests.support.inference.upstream import FakeUpstream, Gate
from tests.support.interleaving import InterleavingDynamoDB

TWO_PARTS = "a " * 4000
SKIPPED = to_last_turn(LastTurn("turn_of_an_image", TurnState.SKIPPED, "unsupported_type"))


async def test_message_that_is_skipped_while_a_turn_runs_does_not_hide_its_end(
    chat: Chat, upstream: FakeUpstream
) -> None:
    gate = Gate()
    upstream.will(reply(completion("Yes."), gate=gate))
    message = await chat.says("Do you have bread?")
    working = asyncio.ensure_future(chat.process.process(chat.job(message)))
    await gate.reached()
    await chat.change(last_turn=SKIPPED)
    gate.open()
    await working

    assert await chat.outcome() == ("answered", None)


async def test_message_that_is_skipped_after_an_end_whose_answer_got_lost_stays_the_latest(
    chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    dynamodb, ends = faulty(chat), list[str]()
    send = dynamodb.send

    async def loses_the_first_end(operation: str, payload: bytes) -> dict[str, Any]:
        answer = await send(operation, payload)
        if operation == "TransactWriteItems" and b"TURN#" in payload:
            ends.append(operation)
            if len(ends) == 1:
                await chat.change(last_turn=SKIPPED)
                raise Unavailable("lost", indeterminate=True)
        return answer

    monkeypatch.setattr(dynamodb, "send", loses_the_first_end)
    await chat.asks()

    conversation = await chat.conversation()
    (turn,) = await chat.turns()
    assert conversation.last_turn
    assert (conversation.last_turn.reason, turn.state) == ("unsupported_type", "answered")
    assert (len(chat.sent), len(ends)) == (1, 2)


async def answers(chat: Chat) -> list[StoredMessage]:
    """The bot's messages, oldest first."""
    return [each for each in await chat.messages() if each.author == "bot"]


async def status_fails(chat: Chat, index: int = -1) -> None:
    """WhatsApp reports that one of the bot's messages could not be delivered."""
    message = (await answers(chat))[index]
    assert message.wamid
    error = MessageError(code=131026, title="Message undeliverable", message=None, details=None)
    status = ReceivedStatus(message.wamid, "failed", message.wamid, EndUser(chat.wa_id), [error], {})
    await InboundStatuses(chat.database, chat.process.clock).apply(chat.tenant, status)


@pytest.mark.parametrize(("text", "index"), [("Yes.", -1), (TWO_PARTS, 0), (TWO_PARTS, 1)])
async def test_message_that_fails_before_its_turn_ends_makes_the_turn_undeliverable(
    chat: Chat, upstream: FakeUpstream, text: str, index: int
) -> None:
    upstream.will(reply(completion(text)))

    async def comes() -> None:
        await status_fails(chat, index)

    faulty(chat).before("TransactWriteItems", comes, matching=is_end)
    await chat.asks()

    assert faulty(chat).pending == 0
    assert await chat.outcome() == ("failed", "undeliverable")
    item = await chat.item()
    assert (item["pending"], item.get("answers")) == (0, None)
    assert not {"undelivered", "lease", "claim", "due"} & item.keys()
    assert (await answers(chat))[index].status == "failed"
    assert (await chat.event((await answers(chat))[-1]))["type"] == "message.sent"


async def test_message_that_fails_while_its_turn_ends_makes_the_turn_undeliverable(chat: Chat) -> None:
    dynamodb = InterleavingDynamoDB(faulty(chat).endpoint)
    statuses = InboundStatuses(Database(dynamodb, chat.database.stage), chat.process.clock)
    failing: list[asyncio.Future[None]] = []
    ended = asyncio.Event()

    async def comes() -> None:
        message = (await chat.messages())[-1]
        assert message.wamid
        status = ReceivedStatus(message.wamid, "failed", message.wamid, EndUser(chat.wa_id), [], {})
        waits = asyncio.Event()

        async def wait() -> None:
            waits.set()
            await ended.wait()

        dynamodb.before("TransactWriteItems", wait)
        failing.append(asyncio.ensure_future(statuses.apply(chat.tenant, status)))
        await waits.wait()

    faulty(chat).before("TransactWriteItems", comes, matching=is_end)
    await chat.asks()
    assert await chat.outcome() == ("answered", None)
    ended.set()
    await failing[0]

    assert await chat.outcome() == ("failed", "undeliverable")
    assert "undelivered" not in await chat.item()
    await dynamodb.close()


async def test_message_that_failed_counts_though_its_worker_died(chat: Chat) -> None:
    await chat.says("Do you have bread?")
    await dies_before(chat, "TransactWriteItems", is_end)
    await status_fails(chat)
    assert "undelivered" in await chat.item()

    await pass_minutes(chat, 4)

    assert await chat.outcome() == ("failed", "undeliverable")
    assert "undelivered" not in await chat.item()
