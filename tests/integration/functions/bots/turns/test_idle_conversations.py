"""Conversations that wait for nothing leave the index `due`, and those in which a message is on its way stay."""

import asyncio

import pytest

from callmissed.aws.dynamodb import TransactionCanceled
from callmissed.platform.tables import CONVERSATIONS
from functions.bots.conversations.completion import completion_operations
from functions.bots.conversations.records import StoredConversation
from functions.bots.conversations.take_over import TakeOvers
from tests.support.bots.turn_retries import claimed_by_a_key, dies_before, is_claim, pass_minutes, waits_in_queue
from tests.support.bots.turns import Chat
from tests.support.inference.behaviours import completion, reply
from tests.support.inference.upstream import FakeUpstream, Gate


async def opts_out(chat: Chat) -> None:
    """As inbound writes it."""
    await chat.database.update(
        CONVERSATIONS,
        (await chat.conversation()).key,
        set={"opted_out": True, "pending": 0},
        add={"epoch": 1},
        remove=("pending_ids",),
    )


async def test_conversation_is_not_due_after_an_opt_out_before_the_turn(chat: Chat, upstream: FakeUpstream) -> None:
    message = await chat.says("Please")
    await opts_out(chat)

    await chat.process.process(chat.job(message))

    assert not {"due", "shard", "pending_since"} & (await chat.item()).keys()
    assert upstream.requests == []


async def test_message_that_comes_after_an_opt_out_stays_due(chat: Chat) -> None:
    message = await chat.says("Please")
    await opts_out(chat)
    await chat.says("Wait")

    await chat.process.process(chat.job(message))

    assert (await chat.conversation()).due


async def test_conversation_that_was_handed_back_during_a_keys_message_is_not_due(chat: Chat) -> None:
    await chat.says("Hello")
    claimed = await claimed_by_a_key(chat)
    await chat.takers.hand_back(chat.tenant, chat.id)
    await chat.process.worker._sender._attempts.release(claimed)  # pyright: ignore[reportPrivateUsage]

    await pass_minutes(chat, 2)

    assert (await chat.conversation()).due is None


async def test_message_of_a_dead_process_is_found_when_a_turn_ended_meanwhile(
    chat: Chat, upstream: FakeUpstream
) -> None:
    gate = Gate()
    upstream.will(reply(completion(" "), gate=gate))
    message = await chat.says("Do you have bread?")
    working = asyncio.ensure_future(chat.process.process(chat.job(message)))
    await gate.reached()
    await claimed_by_a_key(chat)
    gate.open()
    await working
    assert await chat.outcome() == ("failed", "empty_reply")
    assert {"claim", "due"} <= (await chat.item()).keys()

    await pass_minutes(chat, 4)

    assert not {"claim", "due"} & (await chat.item()).keys()


async def test_silent_conversation_in_which_a_message_waits_by_now_stays_due(chat: Chat) -> None:
    silent = await chat.conversation()
    await waits_in_queue(chat, "An offer")

    with pytest.raises(TransactionCanceled):
        await chat.database.transact(completion_operations(silent, chat.process.clock()))

    assert (await chat.conversation()).due


async def test_message_that_waits_since_the_hand_back_began_stays_due(
    chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    await chat.takers.take_over(chat.tenant, chat.id)
    read, reads = TakeOvers._read, list[str]()  # pyright: ignore[reportPrivateUsage]

    async def read_before_the_message(
        takers: TakeOvers, tenant: str, conversation_id: str
    ) -> StoredConversation | None:
        before = await read(takers, tenant, conversation_id)
        if not reads:
            await waits_in_queue(chat, "An offer")
        reads.append(conversation_id)
        return before

    monkeypatch.setattr(TakeOvers, "_read", read_before_the_message)
    await chat.takers.hand_back(chat.tenant, chat.id)

    conversation = await chat.conversation()
    assert (conversation.autoreply, conversation.queued, len(reads)) == (True, 1, 2)
    assert conversation.due


async def test_turn_of_a_dead_worker_is_ended_though_a_keys_message_went_out_meanwhile(chat: Chat) -> None:
    await chat.says("Do you have bread?")
    await dies_before(chat, "UpdateItem", is_claim)
    await chat.takers.take_over(chat.tenant, chat.id)
    await chat.takers.hand_back(chat.tenant, chat.id)
    claimed = await claimed_by_a_key(chat)
    await chat.process.worker._sender._attempts.release(claimed)  # pyright: ignore[reportPrivateUsage]

    await pass_minutes(chat, 5)

    (turn,) = await chat.turns()
    assert (turn.state, turn.reason) == ("skipped", "taken_over")
    assert not {"lease", "due"} & (await chat.item()).keys()
