"""The latest turn of a conversation when something else happens while it runs."""

import asyncio
from typing import Any

import pytest

from callmissed.aws.dynamodb import Unavailable
from functions.bots.conversations.records import LastTurn, TurnState, to_last_turn
from tests.support.bots.turn_retries import faulty
from tests.support.bots.turns import Chat
from tests.support.inference.behaviours import completion, reply
from tests.support.inference.upstream import FakeUpstream, Gate

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
