"""Workers beside each other: slow models, clocks that differ, leases that end, stores that do not answer."""

import asyncio
from collections.abc import Callable

import pytest

from callmissed.aws.comparisons import EXISTS
from callmissed.platform.tables import CONVERSATIONS
from functions.bots.conversations.records import conversation_key
from tests.support.bots.turns import BotProcess, Chat, NewChat
from tests.support.faults import Fault, FaultyDynamoDB
from tests.support.inference.behaviours import completion, reply
from tests.support.inference.charging import let_time_pass_while_charging
from tests.support.inference.gateway import Accounts
from tests.support.inference.upstream import FakeUpstream, Gate

SORRY = "Sorry."


async def test_slow_model_of_one_conversation_holds_up_no_other(new_chat: NewChat, upstream: FakeUpstream) -> None:
    gate = Gate()
    upstream.will(reply(completion("At last."), gate=gate))
    slow = await new_chat()
    working = asyncio.ensure_future(slow.asks())
    await gate.reached()
    others = [await new_chat() for _ in range(12)]

    await asyncio.gather(*(chat.asks() for chat in others))

    assert [await chat.outcome() for chat in others] == [("answered", None)] * 12
    assert slow.sent == []
    gate.open()
    await working
    assert slow.sent == ["At last."]


async def test_model_that_takes_too_long_fails_the_turn(
    new_chat: NewChat, accounts: Accounts, upstream: FakeUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    chat = await new_chat(failure_text=SORRY)
    gate = Gate()
    upstream.will(reply(completion("Too late."), gate=gate))
    monkeypatch.setattr(chat.process.worker._turns, "_thinking_seconds", 0.2)

    await chat.asks()

    gate.open()
    assert await chat.outcome() == ("failed", "timeout")
    assert chat.sent == [SORRY]
    await accounts.assert_untouched(chat.account)


async def test_reply_that_is_being_charged_is_waited_for(
    chat: Chat, accounts: Accounts, upstream: FakeUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_time_pass_while_charging(monkeypatch, chat.process.dynamodb)

    await chat.asks()

    assert await chat.outcome() == ("answered", None)
    assert len(await accounts.entries(chat.tenant)) == 1


async def test_worker_that_lost_its_lease_sends_nothing(
    chat: Chat, new_process: Callable[[], BotProcess], accounts: Accounts, upstream: FakeUpstream
) -> None:
    gate = Gate()
    upstream.will(reply(completion("From the slow one."), gate=gate), reply(completion("From the other one.")))
    message = await chat.says("Do you have bread?")
    working = asyncio.ensure_future(chat.process.process(chat.job(message)))
    await gate.reached()
    other = new_process()
    other.clock.pass_(101)

    await other.process(chat.job(message))
    gate.open()
    await working

    assert chat.sent == ["From the other one."]
    assert len(await chat.turns()) == len(await accounts.entries(chat.tenant)) == 1


async def test_worker_waits_for_the_call_of_one_that_lost_its_lease(
    chat: Chat, new_process: Callable[[], BotProcess], accounts: Accounts, upstream: FakeUpstream
) -> None:
    gate = Gate()
    upstream.will(reply(completion("From the slow one."), gate=gate))
    message = await chat.says("Do you have bread?")

    async def pass_half_a_minute() -> None:
        chat.process.clock.pass_(30)

    dynamodb = chat.process.dynamodb
    assert isinstance(dynamodb, FaultyDynamoDB)
    dynamodb.before("Query", pass_half_a_minute)  # the messages that it answers
    working = asyncio.ensure_future(chat.process.process(chat.job(message)))
    await gate.reached()
    other = new_process()
    other.clock.pass_(101)

    await other.process(chat.job(message))

    [again] = other.queue.messages
    assert again.delay_seconds == 5, "the first worker's call goes on, so the other one comes back"
    gate.open()
    await working
    assert chat.sent == []
    await other.drain()
    assert chat.sent == ["From the slow one."]
    assert len(await chat.turns()) == len(await accounts.entries(chat.tenant)) == 1


@pytest.mark.parametrize("seconds", [-5, 5])
async def test_clock_that_is_off_takes_no_live_lease(
    chat: Chat, new_process: Callable[[], BotProcess], upstream: FakeUpstream, seconds: int
) -> None:
    gate = Gate()
    upstream.will(reply(completion("Yes."), gate=gate))
    message = await chat.says("Do you have bread?")
    working = asyncio.ensure_future(chat.process.process(chat.job(message)))
    await gate.reached()
    other = new_process()
    other.clock.pass_(85 + seconds)

    await other.process(chat.job(message))

    assert other.queue.messages == []
    gate.open()
    await working
    assert chat.sent == ["Yes."]


async def test_store_that_does_not_answer_is_tried_again_and_then_fails(
    chat: Chat, accounts: Accounts, upstream: FakeUpstream
) -> None:
    dynamodb = chat.process.dynamodb
    assert isinstance(dynamodb, FaultyDynamoDB)
    message = await chat.says("Do you have bread?")

    async def fail_holds() -> None:
        dynamodb.faults.extend([Fault.THROTTLE] * 4)

    for minute in range(7):
        dynamodb.before(
            "UpdateItem", fail_holds, matching=lambda request: request["TableName"].endswith("-idempotency")
        )
        await chat.process.process(chat.job(message if not minute else None))
        dynamodb.forget()
        dynamodb.forget_actions()
        if (await chat.conversation()).last_turn:
            break
        [job] = chat.process.queue.take()
        assert (job.body["message"], job.delay_seconds) == (None, 5)
        chat.process.clock.pass_(61)

    assert await chat.outcome() == ("failed", "model_unavailable")
    assert upstream.requests == []
    await accounts.assert_untouched(chat.account)


async def test_message_on_its_way_is_waited_for(chat: Chat, upstream: FakeUpstream) -> None:
    message = await chat.says("Do you have bread?")
    now = chat.process.clock()
    await chat.change(claim={"message_id": "msg_of_a_key", "at": now, "by_bot": False})

    await chat.process.process(chat.job(message))

    [job] = chat.process.queue.take()
    assert (job.body["message"], job.delay_seconds) == (message.id, 5)
    assert upstream.requests == []
    chat.process.clock.pass_(121)
    await chat.process.process(chat.job(message))
    assert await chat.outcome() == ("answered", None)
    assert (await chat.conversation()).claim is None


async def test_unknown_conversation_and_one_that_waits_for_nothing_are_left_alone(chat: Chat) -> None:
    before = await chat.item()

    await chat.process.process(chat.job())
    unknown = Chat(chat.process, chat.account, chat.database.dynamodb, chat.database.stage)
    unknown.id = "conv_nobody"
    await unknown.process.process(unknown.job())

    assert await chat.item() == before
    assert not await chat.database.update_if(
        CONVERSATIONS, conversation_key(chat.tenant, "conv_nobody"), set={"x": 1}, expected={"tenant": EXISTS}
    )
