"""Each way in which a turn ends, as the conversation and the turn's record show it."""

import asyncio
from typing import Any

import pytest

from callmissed.clock import MINUTE
from callmissed.plans.plans import Plan
from callmissed.platform.tables import CONVERSATIONS, MESSAGES
from functions.bots.conversations.late_delivery import mark_answered
from functions.bots.conversations.records import month_key
from functions.bots.turns.counting import month_of
from tests.support.bots.turns import Chat, NewChat
from tests.support.faults import FaultyDynamoDB
from tests.support.inference.behaviours import completion, fails, reply
from tests.support.inference.gateway import Accounts
from tests.support.inference.upstream import FakeUpstream, Gate

SORRY = "Sorry, something is wrong on our side."


async def nothing_waits(chat: Chat) -> bool:
    """Whether the conversation waits for nothing, so that no scheduler finds it."""
    item = await chat.item()
    return item["pending"] == 0 and not {"lease", "claim", "due", "shard", "pending_since"} & item.keys()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"autoreply": False}, "taken_over"),
        ({"opted_out": True}, "opted_out"),
        ({"status": "completed"}, "completed"),
    ],
)
async def test_conversation_that_the_bot_must_not_answer_is_skipped(
    chat: Chat, upstream: FakeUpstream, change: dict[str, Any], reason: str
) -> None:
    await chat.change(**change)

    await chat.asks()

    assert await chat.outcome() == ("skipped", reason)
    assert await nothing_waits(chat)
    assert (chat.sent, upstream.requests) == ([], [])


@pytest.mark.parametrize(
    ("number", "bot", "state", "reason"),
    [
        ({"bot_id": None}, {}, "skipped", "no_bot"),
        ({"bot_id": "bot_that_was_deleted"}, {}, "skipped", "no_bot"),
        ({"autoreply": False}, {}, "skipped", "autoreply_off"),
        ({"registration_status": "disconnected"}, {}, "failed", "number_disconnected"),
        ({}, {"is_active": False}, "skipped", "bot_inactive"),
        ({}, {"system_prompt": " "}, "skipped", "empty_prompt"),
    ],
)
async def test_number_without_a_bot_that_may_answer_is_skipped(
    chat: Chat, upstream: FakeUpstream, number: dict[str, Any], bot: dict[str, Any], state: str, reason: str
) -> None:
    await chat.number(**number)
    await chat.bot(**bot)

    await chat.asks()

    assert await chat.outcome() == (state, reason)
    assert await nothing_waits(chat)
    assert (chat.sent, upstream.requests) == ([], [])


@pytest.mark.parametrize(
    ("text", "kind", "reason"),
    [(None, "audio", "unsupported_type"), ("  \n", "text", "empty_message")],
)
async def test_message_that_says_nothing_is_skipped(
    chat: Chat, upstream: FakeUpstream, text: str | None, kind: str, reason: str
) -> None:
    message = await chat.says(text, kind)

    await chat.process.process(chat.job(message))

    assert await chat.outcome() == ("skipped", reason)
    assert upstream.requests == []


async def test_caption_is_a_text_to_answer(chat: Chat, upstream: FakeUpstream) -> None:
    message = await chat.says("Is this bread?", "image")

    await chat.process.process(chat.job(message))

    assert await chat.outcome() == ("answered", None)
    assert upstream.only.body["messages"][-1]["content"].endswith("Is this bread?")


async def test_other_bot_of_the_number_answers_from_now_on(chat: Chat, upstream: FakeUpstream) -> None:
    old, chat.bot_id = chat.bot_id, "bot_the_new_one"
    await chat.bot(system_prompt="You sell cakes.")
    await chat.number()

    await chat.asks()

    assert upstream.only.body["messages"][0]["content"].startswith("You sell cakes.")
    assert (await chat.conversation()).bot_id == (await chat.turns())[0].bot_id == "bot_the_new_one" != old


async def test_message_after_the_window_closed_is_not_sent(chat: Chat, upstream: FakeUpstream) -> None:
    message = await chat.says("Hello?", last_inbound_at=chat.process.clock() - (24 * 60 - 1) * MINUTE)

    await chat.process.process(chat.job(message))

    assert await chat.outcome() == ("failed", "window_closed")
    assert (chat.sent, upstream.requests) == ([], [])


@pytest.mark.parametrize(
    ("wallet", "reason"),
    [
        ({"av": 0, "gr": 0}, "insufficient_credits"),
        ({"bud": 10, "bl": 10}, "budget_exceeded"),
        ({"q_llm": 0}, "quota_exceeded"),
        ({"st": "suspended"}, "account_inactive"),
    ],
)
async def test_tenant_who_can_not_pay_sees_why(
    chat: Chat, accounts: Accounts, upstream: FakeUpstream, wallet: dict[str, Any], reason: str
) -> None:
    await accounts.change_wallet(chat.tenant, **wallet)

    await chat.asks()

    assert await chat.outcome() == ("failed", reason)
    assert await nothing_waits(chat)
    assert (chat.sent, await accounts.entries(chat.tenant)) == ([], [])


async def test_model_that_does_not_exist_is_unavailable(new_chat: NewChat) -> None:
    chat = await new_chat(model="nobody/knows-it")

    await chat.asks()

    assert await chat.outcome() == ("failed", "model_unavailable")


async def test_model_that_is_not_in_the_plan_is_unavailable(new_chat: NewChat) -> None:
    chat = await new_chat({"plan": Plan.FREE})

    await chat.asks()

    assert await chat.outcome() == ("failed", "model_unavailable")


async def test_model_that_fails_costs_nothing_and_the_user_learns_of_it_once_an_hour(
    new_chat: NewChat, accounts: Accounts, upstream: FakeUpstream
) -> None:
    chat = await new_chat(failure_text=SORRY)
    upstream.will(fails(400), fails(400), fails(400))

    await chat.asks()
    await chat.asks("Hello?")

    assert await chat.outcome() == ("failed", "model_refused")
    assert chat.sent == [SORRY]
    assert (await chat.turns())[0].sent == ((await chat.messages())[1].id,)
    await accounts.assert_untouched(chat.account)
    chat.process.clock.pass_(3601)
    await chat.asks("Are you there?")
    assert chat.sent == [SORRY, SORRY]
    assert await nothing_waits(chat)


async def test_failure_text_that_did_not_leave_is_not_the_one_of_the_hour(
    new_chat: NewChat, upstream: FakeUpstream
) -> None:
    chat = await new_chat(failure_text=SORRY)
    gate = Gate()
    upstream.will(reply(completion(" "), gate=gate), reply(completion(" ")))
    message = await chat.says("Do you have bread?")
    working = asyncio.ensure_future(chat.process.process(chat.job(message)))
    await gate.reached()
    await chat.says("And milk?")
    gate.open()
    await working

    assert chat.sent == [SORRY]
    assert await chat.outcome() == ("failed", "empty_reply")


async def test_empty_reply_is_charged_and_fails(new_chat: NewChat, accounts: Accounts, upstream: FakeUpstream) -> None:
    chat = await new_chat()
    upstream.will(reply(completion(" \n")))

    await chat.asks()

    assert await chat.outcome() == ("failed", "empty_reply")
    assert await accounts.assert_balanced(chat.account) > 0


async def test_plan_limits_the_conversations_of_a_month(new_chat: NewChat, upstream: FakeUpstream) -> None:
    chat = await new_chat({"plan": Plan.STARTER})
    key = month_key(chat.tenant, month_of(chat.process.clock()))
    await chat.database.update(CONVERSATIONS, key, set={"n": 1_000}, upsert=True)

    await chat.asks()

    assert await chat.outcome() == ("skipped", "quota_exceeded")
    assert await nothing_waits(chat)
    assert upstream.requests == []
    await chat.database.update(CONVERSATIONS, key, set={"n": 999})
    await chat.asks()
    await chat.asks()
    assert await chat.outcome() == ("answered", None)
    assert (await chat.database.get(CONVERSATIONS, key))["n"] == 1_000


async def test_number_of_answers_is_limited_by_day_and_conversation(new_chat: NewChat, upstream: FakeUpstream) -> None:
    chat = await new_chat(max_turns_per_day=2, max_turns_per_conversation=3)

    for text in ("One?", "Two?", "Three?"):
        await chat.asks(text)
    assert await chat.outcome() == ("skipped", "turn_limit")
    chat.process.clock.pass_(20 * 3600)
    chat.process.clock.pass_(5 * 3600)
    await chat.asks("Four?")
    assert await chat.outcome() == ("answered", None)
    await chat.asks("Five?")

    assert await chat.outcome() == ("skipped", "turn_limit")
    assert len(upstream.requests) == 3


@pytest.mark.parametrize(
    ("code", "reason"), [(131026, "undeliverable"), (131047, "window_closed"), (100, "undeliverable")]
)
async def test_refusal_of_graph_is_the_reason(chat: Chat, upstream: FakeUpstream, code: int, reason: str) -> None:
    chat.process.graph.fault("error", code=code)

    await chat.asks()

    assert await chat.outcome() == ("failed", reason)
    answer = (await chat.messages())[-1]
    assert answer.status == "failed"
    assert answer.error
    assert answer.error.code == code
    assert await nothing_waits(chat)
    assert await chat.event(answer) == {}


@pytest.mark.parametrize("fault", ["lose_answer", "half_answer", "garbled_answer", "server_error"])
async def test_message_that_may_have_gone_out_is_not_sent_again(chat: Chat, upstream: FakeUpstream, fault: str) -> None:
    chat.process.graph.fault(fault)
    await chat.asks()

    assert await chat.outcome() == ("failed", "delivery_unknown")
    answer = (await chat.messages())[-1]
    assert answer.status == "sending"
    assert (await chat.conversation()).unsettled == {answer.id}
    chat.process.clock.pass_(125)
    await chat.process.process(chat.job())

    settled = (await chat.messages())[-1]
    assert (settled.status, settled.error and settled.error.title) == ("failed", "delivery_unknown")
    assert await nothing_waits(chat)
    assert len(chat.sent) <= 1


async def test_status_that_comes_late_settles_the_turn(chat: Chat, upstream: FakeUpstream) -> None:
    chat.process.graph.fault("lose_answer")
    await chat.asks()
    answer = (await chat.messages())[-1]

    for _ in range(2):
        await mark_answered(chat.database, answer, chat.process.clock())

    assert await chat.outcome() == ("answered", None)


async def test_greeting_that_arrives_late_is_no_answer(new_chat: NewChat, upstream: FakeUpstream) -> None:
    chat = await new_chat(greeting="Welcome!")
    chat.process.graph.fault("lose_answer", times=1, to=chat.wa_id)
    await chat.asks()
    assert chat.sent == ["Welcome!"]

    await mark_answered(chat.database, (await chat.messages())[-1], chat.process.clock())

    assert await chat.outcome() == ("failed", "delivery_unknown")


@pytest.mark.parametrize("is_settled", [True, False])
async def test_greeting_is_said_once_though_its_answer_arrives_late(
    new_chat: NewChat, upstream: FakeUpstream, is_settled: bool
) -> None:
    chat = await new_chat(greeting="Welcome!")
    upstream.will(reply(completion("One.")), reply(completion("Two.")))
    chat.process.graph.fault("lose_answer", times=1, after=1, to=chat.wa_id)
    await chat.asks()
    assert chat.sent == ["Welcome!", "One."]
    if is_settled:
        await mark_answered(chat.database, (await chat.messages())[-1], chat.process.clock())

    await chat.asks("Milk?")

    assert chat.sent == ["Welcome!", "One.", "Two."]
    assert (await chat.conversation()).answers == (2 if is_settled else 1)


async def test_late_status_settles_an_earlier_turn_and_leaves_the_latest(chat: Chat, upstream: FakeUpstream) -> None:
    chat.process.graph.fault("lose_answer")
    await chat.asks()
    answer = (await chat.messages())[-1]
    await chat.asks("Hello?")

    await mark_answered(chat.database, answer, chat.process.clock())

    assert [turn.state for turn in await chat.turns()] == ["answered", "answered"]
    assert (await chat.conversation()).last_turn != (await chat.turns())[0]


async def test_status_that_comes_before_the_turn_ends_settles_it_too(chat: Chat, upstream: FakeUpstream) -> None:
    chat.process.graph.fault("lose_answer")
    dynamodb = chat.process.dynamodb
    assert isinstance(dynamodb, FaultyDynamoDB)

    async def status_comes() -> None:
        answer = (await chat.messages())[-1]
        await chat.database.update(MESSAGES, answer.key, set={"status": "delivered"}, expected={"status": "sending"})
        await mark_answered(chat.database, answer, chat.process.clock())

    dynamodb.before("TransactWriteItems", status_comes, matching=lambda request: "TURN#" in str(request))

    await chat.asks()

    assert dynamodb.pending == 0
    assert await chat.outcome() == ("answered", None)
