"""Messages that wait: their order, their limits, and what a process leaves that dies."""

import asyncio
from dataclasses import replace

import pytest

from callmissed.clock import MINUTE, SECOND, Micros
from callmissed.platform.tables import BOTS, CONVERSATIONS
from functions.bots.conversations.messages import MessageState
from functions.bots.conversations.records import Claim, StoredConversation, due_text, to_claim
from functions.bots.numbers.records import to_number_item
from functions.bots.outbound.drafts import Draft
from functions.bots.outbound.errors import ConversationBusy, QueueFull
from functions.bots.outbound.storage import OutboundMessages, sent_values
from local.aws.tables import StageTables
from tests.support.bots.dying_dynamodb import ProcessDied
from tests.support.bots.whatsapp_numbers import NumberedTenant, SendingProcess
from tests.support.interleaving import InterleavingDynamoDB

pytestmark = pytest.mark.asyncio(loop_scope="session")
SENT = MessageState.SENT


def drafts(sending: SendingProcess, *texts: str, author: str = "key:key_1") -> list[Draft]:
    made: list[Draft] = []
    for text in texts:
        made.append(sending.draft(text, author))
        sending.clock.now += 1000
    return made


def soon(sending: SendingProcess, seconds: float = 20) -> float:
    return sending.time() + seconds


def texts(numbered: NumberedTenant, conversation: StoredConversation) -> list[str | None]:
    return [entry.text for entry in numbered.delivered(conversation)]


async def test_parts_are_sent_in_order(numbered: NumberedTenant, sending: SendingProcess) -> None:
    conversation = await numbered.conversation()
    await sending.queue.put(conversation, drafts(sending, "a", "b", "c"))
    waiting = await numbered.current(conversation)
    assert (waiting.queued, await numbered.marks(conversation)) == (3, 3)
    assert waiting.due is not None
    assert sending.jobs.bodies() == [{"kind": "send", "tenant": numbered.id, "conversation": conversation.id}]
    assert await sending.queue.drain(waiting, numbered.number, until=soon(sending))
    assert texts(numbered, conversation) == ["a", "b", "c"]
    left = await numbered.current(conversation)
    assert (left.queued, left.due, left.claim, await numbered.marks(conversation)) == (0, None, None, 0)
    assert len(await numbered.events()) == 3
    assert [message.status for message in await numbered.messages(conversation)] == [SENT] * 3


async def test_lost_job_is_no_loss(numbered: NumberedTenant, sending: SendingProcess) -> None:
    conversation = await numbered.conversation()
    sending.jobs.down = True
    await sending.queue.put(conversation, drafts(sending, "a"))
    assert (await numbered.current(conversation)).due is not None


async def test_pair_rate_leaves_the_rest_for_later(numbered: NumberedTenant, sending: SendingProcess) -> None:
    conversation = await numbered.conversation()
    await sending.queue.put(conversation, drafts(sending, "a", "b", "c"))
    sending.graph.fault("error", code=131056, after=1, times=None, to=conversation.user.wa_id)
    assert not await sending.queue.drain(conversation, numbered.number, until=soon(sending, 5))
    assert texts(numbered, conversation) == ["a"]
    left = await numbered.current(conversation)
    assert (left.queued, left.claim) == (2, None)
    statuses = [message.status for message in await numbered.messages(conversation)]
    assert statuses == [SENT, MessageState.QUEUED, MessageState.QUEUED]
    sending.graph.clear_faults()
    assert await sending.queue.drain(conversation, numbered.number, until=soon(sending))
    assert texts(numbered, conversation) == ["a", "b", "c"]


async def test_text_of_a_process_with_a_slow_clock_does_not_go_between_the_parts_of_another(
    numbered: NumberedTenant, sending: SendingProcess
) -> None:
    conversation = await numbered.conversation()
    await sending.queue.put(conversation, drafts(sending, "a", "b", "c"))
    sending.graph.fault("error", code=131056, after=1, times=None, to=conversation.user.wa_id)
    assert not await sending.queue.drain(conversation, numbered.number, until=soon(sending, 3))
    sending.graph.clear_faults()
    sending.clock.now -= 9 * SECOND
    await sending.queue.put(await numbered.current(conversation), drafts(sending, "d"))
    sending.clock.now += 9 * SECOND
    assert await sending.queue.drain(conversation, numbered.number, until=soon(sending, 60))
    assert texts(numbered, conversation) == ["a", "b", "c", "d"]


async def test_texts_of_several_processes_keep_their_parts_together(
    numbered: NumberedTenant, sending: SendingProcess
) -> None:
    conversation = await numbered.conversation()
    wanted = [[f"{text}{part}" for part in range(3)] for text in range(8)]
    await asyncio.gather(*(sending.queue.put(conversation, drafts(sending, *parts)) for parts in wanted))
    assert await sending.queue.drain(conversation, numbered.number, until=soon(sending, 300))
    sent = texts(numbered, conversation)
    assert sorted(sent[start : start + 3] for start in range(0, 24, 3)) == wanted  # pyright: ignore[reportArgumentType]


async def test_real_pair_rate_of_the_stand_in_is_paced(numbered: NumberedTenant, sending: SendingProcess) -> None:
    conversation = await numbered.conversation()
    await sending.queue.put(conversation, drafts(sending, *map(str, range(49))))
    assert await sending.queue.drain(conversation, numbered.number, until=soon(sending, 600))
    assert texts(numbered, conversation) == list(map(str, range(49)))
    assert sum(sending.time.pauses) > 12


async def test_no_part_goes_out_after_one_that_can_not(numbered: NumberedTenant, sending: SendingProcess) -> None:
    conversation = await numbered.conversation()
    await sending.queue.put(conversation, drafts(sending, "a", "b", "c"))
    await sending.queue.put(conversation, drafts(sending, "another text"))
    sending.graph.fault("error", code=131026, after=1, times=1, to=conversation.user.wa_id)
    assert await sending.queue.drain(conversation, numbered.number, until=soon(sending))
    assert texts(numbered, conversation) == ["a", "another text"]
    codes = [message.error and message.error.code for message in await numbered.messages(conversation)]
    assert codes == [None, 131026, 131026, None]
    assert (await numbered.current(conversation)).queued == 0


async def test_process_that_dies_after_a_part_failed_lets_no_later_part_go_out(
    numbered: NumberedTenant, sending: SendingProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def died(*_: object) -> None:
        raise ProcessDied

    conversation = await numbered.conversation()
    await sending.queue.put(conversation, drafts(sending, "a", "b", "c"))
    sending.graph.fault("error", code=131026, times=1, to=conversation.user.wa_id)
    with monkeypatch.context() as patched:
        patched.setattr(OutboundMessages, "fail_waiting", died)
        with pytest.raises(ProcessDied):
            await sending.queue.drain(conversation, numbered.number, until=soon(sending))
    sending.clock.now += 2 * MINUTE + SECOND
    await sending.queue.work(await numbered.current(conversation))
    assert texts(numbered, conversation) == []
    codes = [message.error and message.error.code for message in await numbered.messages(conversation)]
    assert (codes, await numbered.marks(conversation)) == ([131026] * 3, 0)
    assert (await numbered.current(conversation)).queued == 0


async def test_wait_for_a_claim_costs_reads(
    numbered: NumberedTenant, sending: SendingProcess, bots_tables: StageTables
) -> None:
    dynamodb = InterleavingDynamoDB(bots_tables.endpoint)
    process = sending.another(dynamodb)
    conversation = await numbered.conversation()
    await process.queue.put(conversation, drafts(sending, "a"))
    claim = Claim("msg_of_another", Micros(sending.clock.now), by_bot=False)
    await sending.database.update(CONVERSATIONS, conversation.key, set={"claim": to_claim(claim)})
    dynamodb.sent.clear()
    assert not await process.queue.drain(conversation, numbered.number, until=soon(process, 60))
    await process.close()
    await dynamodb.close()
    assert dynamodb.sent["UpdateItem"] == 1
    assert dynamodb.sent["GetItem"] < 40


async def lose_the_second(numbered: NumberedTenant, sending: SendingProcess, *texts: str) -> StoredConversation:
    """The conversation after the first two of `texts`' parts, when nobody knows of the second."""
    conversation = await numbered.conversation()
    await sending.queue.put(conversation, drafts(sending, *texts))
    await sending.queue.put(conversation, drafts(sending, "another text"))
    sending.graph.fault("lose_answer", after=1, times=1, to=conversation.user.wa_id)
    await sending.queue.drain(conversation, numbered.number, until=soon(sending))
    return await numbered.current(conversation)


async def test_part_of_which_nobody_knows_is_waited_for(numbered: NumberedTenant, sending: SendingProcess) -> None:
    left = await lose_the_second(numbered, sending, "a", "b", "c")
    _, unknown, *others = await numbered.messages(left)
    assert (unknown.status, {each.status for each in others}) == (MessageState.SENDING, {MessageState.QUEUED})
    assert (left.unsettled, left.queued, left.claim) == (frozenset({unknown.id}), 3, None)
    assert left.due is not None

    sending.clock.now += MINUTE
    await sending.queue.work(left)
    assert texts(numbered, left) == ["a", "b"]
    await sending.attempts.messages.settle(unknown, sent_values(unknown, "wamid.b"))
    await sending.queue.work(left)

    assert texts(numbered, left) == ["a", "b", "c", "another text"]
    assert [message.status for message in await numbered.messages(left)] == [SENT] * 4
    left = await numbered.current(left)
    assert (left.unsettled, left.queued, left.due, await numbered.marks(left)) == (frozenset(), 0, None, 0)
    assert len(await numbered.events()) == 4


async def test_nothing_of_a_text_goes_out_after_a_part_of_which_no_status_came(
    numbered: NumberedTenant, sending: SendingProcess
) -> None:
    left = await lose_the_second(numbered, sending, "a", "b", "c", "d")
    sending.clock.now += 2 * MINUTE

    await sending.queue.work(left)

    assert texts(numbered, left) == ["a", "b", "another text"]
    titles = [message.error and message.error.title for message in await numbered.messages(left)]
    assert titles == [None, "delivery_unknown", "earlier_part_unknown", "earlier_part_unknown", None]
    left = await numbered.current(left)
    assert (left.unsettled, left.queued, left.due, await numbered.marks(left)) == (frozenset(), 0, None, 0)


async def test_text_waits_for_no_other_text_of_which_nobody_knows(
    numbered: NumberedTenant, sending: SendingProcess
) -> None:
    left = await lose_the_second(numbered, sending, "a", "b")

    assert texts(numbered, left) == ["a", "b", "another text"]
    _, unknown, _ = await numbered.messages(left)
    assert (unknown.status, left.unsettled, left.queued) == (MessageState.SENDING, frozenset({unknown.id}), 0)
    assert left.due is not None


async def test_status_is_waited_for_from_the_attempt_on(numbered: NumberedTenant, sending: SendingProcess) -> None:
    conversation = await numbered.conversation()
    await sending.queue.put(conversation, drafts(sending, "a", "b"))
    sending.clock.now += 10 * MINUTE
    sending.graph.fault("lose_answer", times=1, to=conversation.user.wa_id)
    await sending.queue.work(await numbered.current(conversation))

    sending.clock.now += MINUTE
    await sending.queue.work(await numbered.current(conversation))

    assert [message.status for message in await numbered.messages(conversation)] == [
        MessageState.SENDING,
        MessageState.QUEUED,
    ]
    sending.clock.now += MINUTE
    await sending.queue.work(await numbered.current(conversation))
    assert [message.status for message in await numbered.messages(conversation)] == [MessageState.FAILED] * 2


async def test_waiting_messages_fail_with_the_window(numbered: NumberedTenant, sending: SendingProcess) -> None:
    conversation = await numbered.conversation()
    await sending.queue.put(conversation, drafts(sending, "a", "b"))
    sending.clock.now += 25 * 60 * MINUTE
    assert await sending.queue.drain(conversation, numbered.number, until=soon(sending))
    assert texts(numbered, conversation) == []
    titles = [message.error and message.error.title for message in await numbered.messages(conversation)]
    assert titles == ["window_closed", "window_closed"]


async def test_waiting_messages_fail_with_the_number(numbered: NumberedTenant, sending: SendingProcess) -> None:
    conversation = await numbered.conversation()
    await sending.queue.put(conversation, drafts(sending, "a"))
    assert await sending.queue.drain(conversation, replace(numbered.number, is_active=False), until=soon(sending))
    (failed,) = await numbered.messages(conversation)
    assert failed.error is not None
    assert failed.error.title == "number_disconnected"


async def test_waiting_messages_go_out_when_the_token_is_renewed(
    numbered: NumberedTenant, sending: SendingProcess
) -> None:
    conversation = await numbered.conversation()
    await sending.queue.put(conversation, drafts(sending, "a", "b"))
    sending.graph.revoke_token(numbered.token)
    for _ in range(2):
        await sending.queue.work(await numbered.current(conversation))
    statuses = [message.status for message in await numbered.messages(conversation)]
    left = await numbered.current(conversation)
    assert (statuses, left.queued, left.claim) == ([MessageState.QUEUED] * 2, 2, None)
    assert left.due == due_text(Micros(sending.clock.now + 10 * MINUTE))
    assert not (await numbered.stored_number()).is_connected

    sending.graph.restore_token(numbered.token)
    await sending.database.put(BOTS, to_number_item(numbered.number))
    await sending.queue.work(left)
    assert texts(numbered, conversation) == ["a", "b"]
    assert (await numbered.current(conversation)).due is None


async def test_messages_wait_for_a_token_no_longer_than_the_window(
    numbered: NumberedTenant, sending: SendingProcess
) -> None:
    conversation = await numbered.conversation()
    await sending.queue.put(conversation, drafts(sending, "a"))
    await sending.database.put(BOTS, to_number_item(replace(numbered.number, registration_status="disconnected")))
    sending.clock.now += 25 * 60 * MINUTE
    await sending.queue.work(await numbered.current(conversation))
    (failed,) = await numbered.messages(conversation)
    assert failed.error is not None
    assert failed.error.title == "window_closed"


async def test_at_most_a_hundred_wait(numbered: NumberedTenant, sending: SendingProcess) -> None:
    conversation = await numbered.conversation()
    for _ in range(2):
        await sending.queue.put(conversation, drafts(sending, *["x"] * 49))
    with pytest.raises(QueueFull):
        await sending.queue.put(conversation, drafts(sending, "y", "y", "y"))
    await sending.queue.put(conversation, drafts(sending, "z", "z"))
    with pytest.raises(QueueFull):
        await sending.queue.put(conversation, drafts(sending, "y"))
    assert (await numbered.current(conversation)).queued == 100


async def test_single_message_does_not_overtake_those_that_wait(
    numbered: NumberedTenant, sending: SendingProcess
) -> None:
    conversation = await numbered.conversation()
    await sending.queue.put(conversation, drafts(sending, "a"))
    with pytest.raises(ConversationBusy):
        await sending.sender.send(conversation, numbered.number, sending.draft("b"))
    assert texts(numbered, conversation) == []


async def test_two_processes_at_once_neither_reorder_nor_double(
    numbered: NumberedTenant, sending: SendingProcess
) -> None:
    conversation, wanted = await numbered.conversation(), list(map(str, range(12)))
    await sending.queue.put(conversation, drafts(sending, *wanted))
    processes = [sending, sending.another(), sending.another()]
    drains = [each.queue.drain(conversation, numbered.number, until=soon(each, 900)) for each in processes]
    await asyncio.gather(*drains)
    assert texts(numbered, conversation) == wanted
    assert (await numbered.current(conversation)).queued == 0
    assert len(await numbered.events()) == 12
    for process in processes[1:]:
        await process.close()


async def test_message_of_a_process_that_died_in_its_request_is_not_repeated(
    numbered: NumberedTenant, sending: SendingProcess
) -> None:
    conversation = await numbered.conversation()
    first, _ = await sending.queue.put(conversation, drafts(sending, "a", "b"))
    claim = Claim(first.id, Micros(sending.clock.now), by_bot=False)
    await sending.database.update(CONVERSATIONS, conversation.key, set={"claim": to_claim(claim)})
    assert await sending.attempts.messages.begin(first, claim.at)
    assert not await sending.queue.drain(conversation, numbered.number, until=soon(sending, 5))
    sending.clock.now += 2 * MINUTE
    assert await sending.queue.drain(conversation, numbered.number, until=soon(sending))
    assert texts(numbered, conversation) == []
    titles = [message.error and message.error.title for message in await numbered.messages(conversation)]
    assert titles == ["delivery_unknown", "earlier_part_unknown"]
    assert (await numbered.current(conversation)).queued == 0


async def test_message_of_a_process_that_died_before_its_request_is_sent(
    numbered: NumberedTenant, sending: SendingProcess
) -> None:
    conversation = await numbered.conversation()
    (first,) = await sending.queue.put(conversation, drafts(sending, "a"))
    claim = Claim(first.id, Micros(sending.clock.now - 2 * MINUTE - SECOND), by_bot=False)
    await sending.database.update(CONVERSATIONS, conversation.key, set={"claim": to_claim(claim)})
    assert await sending.queue.drain(conversation, numbered.number, until=soon(sending))
    assert texts(numbered, conversation) == ["a"]
