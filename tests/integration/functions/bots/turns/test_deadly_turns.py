"""Turns whose worker dies each time: they end as failed, and the next message has a turn of its own."""

import pytest

from functions.bots.turns.leases import LEASE_SECONDS
from functions.bots.turns.turn import MAX_DEATHS
from tests.support.bots.turn_retries import dies_before, faulty, is_claim, pass_minutes, without_waits
from tests.support.bots.turns import Chat
from tests.support.inference.gateway import Accounts
from tests.support.inference.upstream import FakeUpstream

PAIR_RATE = 131056


def is_any(_request: object) -> bool:
    return True


async def dies(chat: Chat, times: int, operation: str, matching: object) -> None:
    """Let so many workers take the turn, and die."""
    for _ in range(times):
        await dies_before(chat, operation, matching)
        assert faulty(chat).pending == 0
        chat.process.clock.pass_(LEASE_SECONDS + 11)


@pytest.mark.parametrize(("operation", "matching"), [("Query", is_any), ("UpdateItem", is_claim)])
async def test_turn_whose_workers_die_ends_and_the_next_message_has_a_turn(
    chat: Chat, accounts: Accounts, operation: str, matching: object
) -> None:
    first = await chat.says("Do you have bread?")
    await dies(chat, MAX_DEATHS, operation, matching)
    assert (await chat.conversation()).last_turn is None

    await chat.process.process(chat.job())

    assert await chat.outcome() == ("failed", "internal_error")
    conversation = await chat.conversation()
    assert (conversation.lease, conversation.pending, conversation.due) == (None, 0, None)
    assert len(await accounts.entries(chat.tenant)) == (operation == "UpdateItem")
    await chat.asks("Hello?")
    assert await chat.outcome() == ("answered", None)
    failed, answered = await chat.turns()
    assert failed.answers == (first.id,)
    assert failed.id != answered.id
    assert len(chat.sent) == 1


async def test_message_that_came_meanwhile_has_a_turn_of_its_own(chat: Chat, upstream: FakeUpstream) -> None:
    first = await chat.says("Do you have bread?")
    await dies(chat, MAX_DEATHS, "Query", is_any)
    second = await chat.says("Hello?")

    await pass_minutes(chat, 2)

    assert [turn.answers for turn in await chat.turns()] == [(first.id,), (second.id,)]
    assert await chat.outcome() == ("answered", None)
    assert len(upstream.requests) == len(chat.sent) == 1


async def test_turn_is_answered_whose_workers_died_less_often(chat: Chat, accounts: Accounts) -> None:
    await chat.says("Do you have bread?")
    await dies(chat, MAX_DEATHS - 1, "UpdateItem", is_claim)

    await chat.process.process(chat.job())

    assert await chat.outcome() == ("answered", None)
    assert len(await accounts.entries(chat.tenant)) == 1


async def test_worker_that_gives_the_turn_back_did_not_die(chat: Chat) -> None:
    without_waits(chat.process)
    chat.process.graph.fault("error", code=PAIR_RATE, times=None, to=chat.wa_id)
    await chat.asks()
    for _ in range(MAX_DEATHS):
        chat.process.clock.pass_(5)
        await chat.process.process(chat.job())
    lease = (await chat.conversation()).lease
    assert lease
    assert lease.deaths == 0
    chat.process.graph.clear_faults()

    await chat.process.process(chat.job())

    assert await chat.outcome() == ("answered", None)


async def test_answer_that_was_sent_says_more_than_the_deaths(chat: Chat) -> None:
    await chat.says("Do you have bread?")
    await dies(chat, 1, "TransactWriteItems", lambda request: "TURN#" in str(request))
    for _ in range(MAX_DEATHS):
        chat.process.clock.pass_(121)
        await dies(chat, 1, "TransactWriteItems", lambda request: "TURN#" in str(request))

    chat.process.clock.pass_(121)
    await chat.process.process(chat.job())

    assert await chat.outcome() == ("answered", None)
    assert len(chat.sent) == 1
