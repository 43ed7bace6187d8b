"""Turns of workers that died, and that nobody takes on: they show what they sent, as the ledger names them."""

from collections.abc import Awaitable, Callable

import pytest

from functions.bots.conversations.completion import completion_operations
from tests.support.bots.turn_retries import dies_before, is_claim, is_end, pass_minutes
from tests.support.bots.turns import Chat
from tests.support.inference.gateway import Accounts
from tests.support.inference.upstream import FakeUpstream


async def take_over(chat: Chat) -> None:
    await chat.takers.take_over(chat.tenant, chat.id)


async def hand_back(chat: Chat) -> None:
    await chat.takers.take_over(chat.tenant, chat.id)
    await chat.takers.hand_back(chat.tenant, chat.id)


async def close(chat: Chat) -> None:
    await chat.database.transact(completion_operations(await chat.conversation(), chat.process.clock()))


@pytest.mark.parametrize("person", [take_over, hand_back, close])
@pytest.mark.parametrize("has_sent", [True, False])
async def test_turn_of_a_dead_worker_is_shown_when_a_person_answers(
    chat: Chat,
    accounts: Accounts,
    upstream: FakeUpstream,
    person: Callable[[Chat], Awaitable[None]],
    has_sent: bool,
) -> None:
    await chat.says("Do you have bread?")
    if has_sent:
        await dies_before(chat, "TransactWriteItems", is_end)
    else:
        await dies_before(chat, "UpdateItem", is_claim)
    assert len(chat.sent) == has_sent
    chat.process.clock.pass_(130)
    await person(chat)

    await pass_minutes(chat, 5)

    (turn,) = await chat.turns()
    assert [entry["reference"] for entry in await accounts.entries(chat.tenant)] == [turn.id]
    assert [message.id for message in await chat.messages() if message.turn_id == turn.id] == list(turn.sent)
    assert len(chat.sent) == len(turn.sent) == has_sent
    conversation = await chat.conversation()
    assert (conversation.lease, conversation.claim, conversation.due) == (None, None, None)
