"""Turns in which a person, or the end user, stops the bot: what leaves, what is said, and what waits afterwards."""

import asyncio
import contextlib

from callmissed.platform.tables import CONVERSATIONS
from tests.support.bots.turns import Chat
from tests.support.faults import Crash, FaultyDynamoDB
from tests.support.inference.behaviours import completion, reply
from tests.support.inference.upstream import FakeUpstream, Gate

LONG = "The first part. " * 250 + "\n\n" + "The second part. " * 200


async def die() -> None:
    raise Crash


def is_claim(request: object) -> bool:
    return "by_bot" in str(request) and "UpdateExpression" in str(request)


async def thinks(chat: Chat, upstream: FakeUpstream) -> tuple[Gate, asyncio.Future[None]]:
    """Let the bot think of a message until the gate opens."""
    gate = Gate()
    upstream.will(reply(completion("Yes."), gate=gate))
    message = await chat.says("Do you have bread?")
    working = asyncio.ensure_future(chat.process.process(chat.job(message)))
    await gate.reached()
    return gate, working


async def dies_after_the_first_part(chat: Chat, upstream: FakeUpstream) -> None:
    upstream.will(reply(completion(LONG)))
    await chat.says("Do you have bread?")
    dynamodb = chat.process.dynamodb
    assert isinstance(dynamodb, FaultyDynamoDB)

    async def first_claim() -> None:
        dynamodb.before("UpdateItem", die, matching=is_claim)

    dynamodb.before("UpdateItem", first_claim, matching=is_claim)
    with contextlib.suppress(Crash):
        await chat.process.process(chat.job())
    dynamodb.forget_actions()
    assert len(chat.sent) == 1


async def test_rest_of_an_answer_does_not_leave_after_a_take_over_and_a_hand_back(
    chat: Chat, upstream: FakeUpstream
) -> None:
    await dies_after_the_first_part(chat, upstream)
    upstream.will(reply(completion("Milk, yes.")))
    await chat.takers.take_over(chat.tenant, chat.id)
    await chat.takers.hand_back(chat.tenant, chat.id)
    chat.process.clock.pass_(150)

    await chat.asks("And milk?")
    await chat.process.drain()

    assert chat.sent[1:] == ["Milk, yes."]
    first, second = await chat.turns()
    assert (first.state, first.reason, len(first.sent), first.answers) == ("skipped", "taken_over", 1, ())
    assert (second.state, second.answers) == ("answered", ((await chat.conversation()).last_inbound,))


async def test_rest_of_an_answer_leaves_if_nobody_took_over(chat: Chat, upstream: FakeUpstream) -> None:
    await dies_after_the_first_part(chat, upstream)
    chat.process.clock.pass_(150)

    await chat.process.process(chat.job())

    assert len(chat.sent) == 2
    assert await chat.outcome() == ("answered", None)


async def test_nothing_of_a_turn_leaves_after_a_colleague_wrote_from_the_phone(
    chat: Chat, upstream: FakeUpstream
) -> None:
    gate, working = await thinks(chat, upstream)
    await chat.colleague_writes("I am on it.")
    gate.open()
    await working
    await chat.asks("And milk?")
    await chat.process.drain()

    assert chat.sent == []
    assert await chat.outcome() == ("skipped", "taken_over")
    assert [each.author for each in await chat.messages()] == ["user", "person", "user"]

    await chat.takers.hand_back(chat.tenant, chat.id)
    upstream.will(reply(completion("Eggs, yes.")))
    await chat.asks("And eggs?")

    assert chat.sent == ["Eggs, yes."]
    assert {"role": "assistant", "content": "I am on it."} in upstream.requests[-1].body["messages"]


async def test_message_that_was_a_persons_stays_the_persons(chat: Chat, upstream: FakeUpstream) -> None:
    gate, working = await thinks(chat, upstream)
    await chat.says("And milk?")
    await chat.takers.take_over(chat.tenant, chat.id)
    await chat.takers.hand_back(chat.tenant, chat.id)
    gate.open()
    await working

    await chat.process.drain()

    assert chat.sent == []
    conversation = await chat.conversation()
    assert (conversation.pending, conversation.pending_ids, conversation.due) == (0, frozenset(), None)


async def test_message_after_the_hand_back_is_the_bots(chat: Chat, upstream: FakeUpstream) -> None:
    gate, working = await thinks(chat, upstream)
    await chat.says("And milk?")
    await chat.takers.take_over(chat.tenant, chat.id)
    await chat.takers.hand_back(chat.tenant, chat.id)
    last = await chat.says("And eggs?")
    upstream.will(reply(completion("Eggs, yes.")))
    gate.open()
    await working

    await chat.process.drain()

    assert chat.sent == ["Eggs, yes."]
    assert (await chat.turns())[-1].answers == (last.id,)


async def test_opt_out_during_a_turn_is_its_reason(chat: Chat, upstream: FakeUpstream) -> None:
    gate, working = await thinks(chat, upstream)
    await chat.database.update(
        CONVERSATIONS,
        (await chat.conversation()).key,
        set={"opted_out": True, "pending": 0},
        add={"epoch": 1},
        remove=("pending_ids",),
    )
    gate.open()
    await working

    assert chat.sent == []
    assert await chat.outcome() == ("skipped", "opted_out")


async def test_end_of_the_conversation_during_a_turn_is_its_reason(chat: Chat, upstream: FakeUpstream) -> None:
    gate, working = await thinks(chat, upstream)
    await chat.database.update(
        CONVERSATIONS, (await chat.conversation()).key, set={"status": "completed", "pending": 0}, add={"epoch": 1}
    )
    gate.open()
    await working

    assert await chat.outcome() == ("skipped", "completed")
