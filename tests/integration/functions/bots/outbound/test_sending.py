"""One message on its way: every outcome, and what is stored of it."""

from dataclasses import replace

import pytest

from callmissed.clock import MINUTE, SECOND, Micros
from callmissed.platform.tables import BOTS, CONVERSATIONS
from callmissed.sealing import UnsealError
from functions.bots.conversations.messages import DELIVERY_UNKNOWN, MessageState
from functions.bots.conversations.records import Claim, EndUser, to_conversation_item
from functions.bots.numbers.records import to_number_item
from functions.bots.outbound.errors import (
    ConversationBusy,
    LeaseLost,
    NewerInbound,
    NumberDisconnected,
    TakenOver,
    WindowClosed,
)
from tests.support.bots.whatsapp_numbers import SEALER, NumberedTenant, SendingProcess, fenced

pytestmark = pytest.mark.asyncio(loop_scope="session")
DAY = 24 * 60 * MINUTE


async def test_message_is_sent_stored_and_published_once(numbered: NumberedTenant, sending: SendingProcess) -> None:
    conversation = await numbered.conversation()
    draft = sending.draft("hello")
    sent = await sending.sender.send(conversation, numbered.number, draft)
    (entry,) = numbered.delivered(conversation)
    assert (entry.text, entry.to) == ("hello", conversation.user.wa_id)
    assert entry.opaque == f"{conversation.id}:{draft.id}"
    assert (sent.status, sent.wamid) == (MessageState.SENT, entry.wamid)
    assert await numbered.messages(conversation) == [sent]
    (event,) = await numbered.events()
    assert (event["message_id"], event["conversation_id"], event["text"]) == (entry.wamid, conversation.id, "hello")
    left = await numbered.current(conversation)
    assert (left.claim, left.due, left.autoreply, left.epoch) == (None, None, True, 0)
    assert left.last_activity == sending.clock.now


async def test_user_without_a_number_is_a_recipient(numbered: NumberedTenant, sending: SendingProcess) -> None:
    phone = sending.graph.phone("919811100011", number_id=numbered.number.number_id)
    phone.say("hi")
    user = EndUser(user_id=phone.user.bsuid)
    conversation = await numbered.conversation(user=user)
    sent = await sending.sender.send(conversation, numbered.number, sending.draft())
    (entry,) = [each for each in sending.graph.sent if each.wamid == sent.wamid]
    assert entry.request["recipient"] == user.user_id
    assert "to" not in entry.request


async def test_reply_names_the_message_it_answers(numbered: NumberedTenant, sending: SendingProcess) -> None:
    conversation = await numbered.conversation()
    first = await sending.sender.send(conversation, numbered.number, sending.draft())
    reply = sending.draft("reply", reply_to=first.wamid)
    await sending.sender.send(conversation, numbered.number, reply)
    assert numbered.delivered(conversation)[-1].request["context"] == {"message_id": first.wamid}


@pytest.mark.parametrize(
    "code", [0, 10, 100, 131005, 131008, 131009, 131021, 131026, 131031, 131042, 131047, 131049, 131051, 131053, 368]
)
async def test_refusal_of_meta_is_stored_with_its_code(
    numbered: NumberedTenant, sending: SendingProcess, code: int
) -> None:
    conversation = await numbered.conversation()
    sending.graph.fault("error", code=code, times=1, to=conversation.user.wa_id)
    failed = await sending.sender.send(conversation, numbered.number, sending.draft())
    assert failed.status is MessageState.FAILED
    assert failed.error is not None
    assert failed.error.code == code
    assert failed.error.title
    assert await numbered.messages(conversation) == [failed]
    assert await numbered.events() == []
    left = await numbered.current(conversation)
    assert (left.claim, left.due, left.unsettled) == (None, None, frozenset())
    assert numbered.delivered(conversation) == []


UNKNOWN = [
    {"kind": "lose_answer"},
    {"kind": "lose_request"},
    {"kind": "half_answer"},
    {"kind": "garbled_answer"},
    {"kind": "server_error", "status": 500},
    {"kind": "server_error", "status": 502},
    {"kind": "error", "code": 131000},
    {"kind": "error", "code": 131016},
    {"kind": "error", "code": 131000, "taken": True},
]


@pytest.mark.parametrize("fault", UNKNOWN, ids=lambda fault: "-".join(map(str, fault.values())))
async def test_what_may_have_gone_out_is_never_sent_again(
    numbered: NumberedTenant, sending: SendingProcess, fault: dict[str, object]
) -> None:
    conversation = await numbered.conversation()
    sending.graph.fault(**fault, times=1, to=conversation.user.wa_id)  # pyright: ignore[reportArgumentType]
    message = await sending.sender.send(conversation, numbered.number, sending.draft())
    taken = len(numbered.delivered(conversation))
    assert (message.status, message.wamid, message.error) == (MessageState.SENDING, None, None)
    left = await numbered.current(conversation)
    assert (left.claim, left.unsettled) == (None, frozenset({message.id}))
    assert left.due is not None

    sending.clock.now += MINUTE
    assert await sending.sender.settle_unknown(left) is None
    assert (await numbered.messages(conversation))[0].status is MessageState.SENDING
    sending.clock.now += MINUTE + SECOND
    await sending.sender.settle_unknown(left)
    (settled,) = await numbered.messages(conversation)
    assert settled.status is MessageState.FAILED
    assert settled.error is not None
    assert settled.error.title == DELIVERY_UNKNOWN
    left = await numbered.current(conversation)
    assert (left.unsettled, left.due) == (frozenset(), None)
    assert len(numbered.delivered(conversation)) == taken <= 1


async def test_unreachable_graph_is_a_definite_failure(numbered: NumberedTenant, sending: SendingProcess) -> None:
    conversation = await numbered.conversation()
    away = sending.another()
    away.attempts._graph = type(away.attempts._graph)("http://127.0.0.1:9/v24.0", away.http)  # pyright: ignore[reportPrivateUsage]
    failed = await away.sender.send(conversation, numbered.number, sending.draft())
    assert failed.error is not None
    assert failed.error.title == "not_connected"
    assert len(away.time.pauses) > 2
    await away.close()


@pytest.mark.parametrize("code", [131056, 130429, 80007, 4])
async def test_rate_of_meta_is_waited_for(numbered: NumberedTenant, sending: SendingProcess, code: int) -> None:
    conversation = await numbered.conversation()
    sending.graph.fault("error", code=code, times=3, to=conversation.user.wa_id)
    sent = await sending.sender.send(conversation, numbered.number, sending.draft())
    assert sent.status is MessageState.SENT
    assert sending.time.pauses == [0.5, 1.0, 2.0]
    assert len(numbered.delivered(conversation)) == 1


async def test_rate_that_lasts_fails_the_message(numbered: NumberedTenant, sending: SendingProcess) -> None:
    conversation = await numbered.conversation()
    sending.graph.fault("error", code=131056, times=None, to=conversation.user.wa_id)
    failed = await sending.sender.send(conversation, numbered.number, sending.draft())
    assert failed.error is not None
    assert failed.error.code == 131056
    assert sum(sending.time.pauses) < 12
    assert (await numbered.current(conversation)).claim is None


async def test_refused_token_disconnects_the_number(numbered: NumberedTenant, sending: SendingProcess) -> None:
    conversation = await numbered.conversation()
    sending.graph.revoke_token(numbered.token)
    failed = await sending.sender.send(conversation, numbered.number, sending.draft())
    assert failed.error is not None
    assert failed.error.code == 190
    number = await numbered.stored_number()
    assert (number.registration_status, number.is_connected) == ("disconnected", False)
    assert number.registration_error
    with pytest.raises(NumberDisconnected):
        await sending.sender.send(conversation, number, sending.draft())


async def test_renewed_token_is_not_disconnected_by_an_older_refusal(
    numbered: NumberedTenant, sending: SendingProcess
) -> None:
    conversation = await numbered.conversation()
    sending.graph.revoke_token(numbered.token)
    renewed = replace(numbered.number, token=SEALER.seal("renewed"))
    await sending.database.put(BOTS, to_number_item(renewed))
    await sending.sender.send(conversation, numbered.number, sending.draft())
    assert await numbered.stored_number() == renewed


async def test_token_that_can_not_be_unsealed_leaves_no_claim(
    numbered: NumberedTenant, sending: SendingProcess
) -> None:
    conversation = await numbered.conversation()
    with pytest.raises(UnsealError):
        await sending.sender.send(conversation, replace(numbered.number, token="torn"), sending.draft())
    assert await numbered.current(conversation) == conversation


@pytest.mark.parametrize(("ago", "is_open"), [(DAY - 61 * SECOND, True), (DAY - 60 * SECOND, False), (DAY, False)])
async def test_window_closes_a_minute_early(
    numbered: NumberedTenant, sending: SendingProcess, ago: int, is_open: bool
) -> None:
    conversation = await numbered.conversation(last_inbound_at=Micros(sending.clock.now - ago))
    if is_open:
        assert (await sending.sender.send(conversation, numbered.number, sending.draft())).wamid
        return
    with pytest.raises(WindowClosed):
        await sending.sender.send(conversation, numbered.number, sending.draft())
    assert numbered.delivered(conversation) == []
    assert await numbered.messages(conversation) == []


async def test_persons_message_takes_over_in_its_claim(numbered: NumberedTenant, sending: SendingProcess) -> None:
    conversation = await numbered.conversation()
    await sending.sender.send(conversation, numbered.number, sending.draft(author="person:usr_1"))
    left = await numbered.current(conversation)
    assert (left.autoreply, left.epoch) == (False, 1)


async def test_persons_message_waits_for_a_bots_and_stops_the_next_one(
    numbered: NumberedTenant, sending: SendingProcess
) -> None:
    claim = Claim("msg_of_bot", Micros(sending.clock.now), by_bot=True)
    conversation = await numbered.conversation(claim=claim)
    with pytest.raises(ConversationBusy):
        await sending.sender.send(conversation, numbered.number, sending.draft(author="person:usr_1"))
    left = await numbered.current(conversation)
    assert (left.autoreply, left.epoch, left.claim) == (False, 1, claim)
    assert numbered.delivered(conversation) == []


async def test_bots_message_obeys_its_fence(numbered: NumberedTenant, sending: SendingProcess) -> None:
    plain = await numbered.conversation()
    conversation, fence = fenced(plain)
    changes = {
        TakenOver: [{"epoch": 1}, {"autoreply": False}, {"opted_out": True}],
        LeaseLost: [{"lease": None}, {"lease": replace(fence.lease, token="another")}],
        NewerInbound: [{"last_inbound": "msg_second"}],
    }
    for error, stored in changes.items():
        for fields in stored:
            await sending.database.put(CONVERSATIONS, to_conversation_item(replace(conversation, **fields)))
            with pytest.raises(error):
                await sending.sender.send(conversation, numbered.number, sending.draft(author="bot"), fence)
    assert numbered.delivered(conversation) == []
    await sending.database.put(CONVERSATIONS, to_conversation_item(conversation))
    sent = await sending.sender.send(conversation, numbered.number, sending.draft(author="bot"), fence, release=False)
    assert sent.wamid
    left = await numbered.current(conversation)
    assert left.claim is not None
    assert left.claim.by_bot
    assert await numbered.events() == []


async def test_bot_that_was_taken_over_while_it_waits_for_meta_sends_nothing(
    numbered: NumberedTenant, sending: SendingProcess
) -> None:
    conversation, fence = fenced(await numbered.conversation())
    await sending.database.put(CONVERSATIONS, to_conversation_item(conversation))
    sending.graph.fault("error", code=131056, times=4, to=conversation.user.wa_id)
    sleep = sending.attempts.sleep

    async def taken_over(seconds: float) -> None:
        await sleep(seconds)
        await sending.attempts.claims.take_over(conversation, Micros(sending.clock.now))

    sending.attempts.sleep = taken_over
    try:
        with pytest.raises(TakenOver):
            await sending.sender.send(conversation, numbered.number, sending.draft(author="bot"), fence)
    finally:
        sending.attempts.sleep = sleep
    assert numbered.delivered(conversation) == []
    assert await numbered.messages(conversation) == []
    left = await numbered.current(conversation)
    assert (left.claim, left.last_activity) == (None, conversation.last_activity)


async def test_claim_of_a_dead_process_is_settled_after_two_minutes(
    numbered: NumberedTenant, sending: SendingProcess
) -> None:
    claim = Claim("msg_of_nobody", Micros(sending.clock.now - 2 * MINUTE), by_bot=True)
    conversation = await numbered.conversation(claim=claim)
    sent = await sending.sender.send(conversation, numbered.number, sending.draft())
    assert sent.wamid
    assert (await numbered.current(conversation)).claim is None


async def test_pending_conversation_stays_due(numbered: NumberedTenant, sending: SendingProcess) -> None:
    conversation = await numbered.conversation(pending=1, due="00000000001")
    await sending.sender.send(conversation, numbered.number, sending.draft())
    left = await numbered.current(conversation)
    assert (left.claim, left.due) == (None, "00000000001")


async def test_change_feed_shows_a_message_of_which_nothing_was_heard(
    numbered: NumberedTenant, sending: SendingProcess
) -> None:
    conversation = await numbered.conversation()
    sending.graph.fault("lose_answer", times=1, to=conversation.user.wa_id)
    await sending.sender.send(conversation, numbered.number, sending.draft())
    before = (await numbered.current(conversation)).changed
    sending.clock.now += 2 * MINUTE + SECOND
    await sending.queue.work(await numbered.current(conversation))
    (message,) = await numbered.messages(conversation)
    assert message.error
    assert (await numbered.current(conversation)).changed > before


async def test_only_what_may_have_gone_out_is_activity(numbered: NumberedTenant, sending: SendingProcess) -> None:
    earlier = Micros(sending.clock.now - MINUTE)
    for fault, is_activity in (("error", False), ("lose_answer", True), (None, True)):
        conversation = await numbered.conversation(last_activity=earlier)
        if fault:
            sending.graph.fault(fault, code=131026, times=1, to=conversation.user.wa_id)
        await sending.sender.send(conversation, numbered.number, sending.draft())
        assert ((await numbered.current(conversation)).last_activity > earlier) is is_activity
