"""Turns of workers that died, and that nobody takes on: they show what they sent, as the ledger names them."""

from collections.abc import Awaitable, Callable

import pytest

from callmissed.clock import MINUTE
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
    assert turn.state == ("answered" if has_sent else "skipped")
    conversation = await chat.conversation()
    assert (conversation.lease, conversation.claim, conversation.due) == (None, None, None)


async def deactivate(chat: Chat) -> None:
    await chat.bot(is_active=False)


async def close_window(chat: Chat) -> None:
    await chat.change(last_inbound_at=chat.process.clock() - 24 * 60 * MINUTE)


async def use_up_the_limit(chat: Chat) -> None:
    await chat.change(answers=1_000_000)


async def hand_questions_off(chat: Chat) -> None:
    await chat.bot(handoff_phrases=["bread"])


@pytest.mark.parametrize("change", [deactivate, close_window, use_up_the_limit, hand_questions_off])
async def test_answer_that_was_sent_entirely_stays_answered(
    chat: Chat, accounts: Accounts, change: Callable[[Chat], Awaitable[None]]
) -> None:
    await chat.says("Do you have bread?")
    await dies_before(chat, "TransactWriteItems", is_end)
    await change(chat)

    await pass_minutes(chat, 4)

    assert await chat.outcome() == ("answered", None)
    assert chat.sent == ["Hello there"]
    assert (await chat.conversation()).status == "active"
    assert len(await accounts.entries(chat.tenant)) == 1
