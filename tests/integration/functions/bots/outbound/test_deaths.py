"""A process dies, or loses an answer of DynamoDB, at each request of a send: nothing is sent twice, nothing is lost."""

import contextlib

import pytest

from callmissed.clock import MINUTE, SECOND
from functions.bots.conversations.messages import MessageState
from functions.bots.conversations.records import StoredConversation
from local.aws.tables import StageTables
from tests.support.bots.dying_dynamodb import Death, DyingDynamoDB, ProcessDied
from tests.support.bots.whatsapp_numbers import NumberedTenant, SendingProcess

pytestmark = pytest.mark.asyncio(loop_scope="session")
FINAL = {MessageState.SENT, MessageState.FAILED}
_ENOUGH = 60


async def recovered(
    sending: SendingProcess, numbered: NumberedTenant, conversation: StoredConversation
) -> StoredConversation:
    """What the worker makes of the conversation, as the index `due` brings it there, until nothing waits."""
    for _ in range(4):
        sending.clock.now += 2 * MINUTE + SECOND
        await sending.queue.work(await numbered.current(conversation))
    return await numbered.current(conversation)


async def assert_settled(sending: SendingProcess, numbered: NumberedTenant, conversation: StoredConversation) -> None:
    """Everything is settled, and published as often as it is known to be sent."""
    left = await recovered(sending, numbered, conversation)
    assert (left.claim, left.queued, left.unsettled, left.due) == (None, 0, frozenset(), None)
    messages = await numbered.messages(conversation)
    assert {message.status for message in messages} <= FINAL
    known = [message.wamid for message in messages if message.status is MessageState.SENT]
    published = [event["message_id"] for event in await numbered.events()]
    assert sorted(published) == sorted(wamid or "" for wamid in known)


@pytest.mark.parametrize("death", Death)
async def test_single_message_goes_out_once_at_most(
    sending: SendingProcess, bots_tables: StageTables, death: Death
) -> None:
    for step in range(1, _ENOUGH):
        sending.time.pauses.clear()
        numbered = await sending.tenant()
        conversation = await numbered.conversation()
        dynamodb = DyingDynamoDB(bots_tables.endpoint, step, death)
        process = sending.another(dynamodb)
        with contextlib.suppress(ProcessDied):
            await process.sender.send(conversation, numbered.number, sending.draft("once"))
        await process.close()
        await dynamodb.close()
        if not dynamodb.was_met:
            assert step > 3
            return
        taken = len(numbered.delivered(conversation))
        assert taken <= 1
        if death is Death.LOST:
            (message,) = await numbered.messages(conversation)
            assert (taken, message.status) == (1, MessageState.SENT)
        await assert_settled(sending, numbered, conversation)
        assert len(numbered.delivered(conversation)) == taken
    pytest.fail("the send has more requests than expected")


@pytest.mark.parametrize("death", Death)
async def test_waiting_messages_go_out_in_order_once_at_most(
    sending: SendingProcess, bots_tables: StageTables, death: Death
) -> None:
    for step in range(1, _ENOUGH):
        numbered = await sending.tenant()
        conversation = await numbered.conversation()
        dynamodb = DyingDynamoDB(bots_tables.endpoint, step, death)
        process = sending.another(dynamodb)
        drafts = [sending.draft("a"), sending.draft("b")]
        stored = False
        with contextlib.suppress(ProcessDied):
            await process.queue.put(conversation, drafts)
            stored = True
            await process.queue.drain(conversation, numbered.number, until=process.time() + 20)
        await process.close()
        await dynamodb.close()
        if not dynamodb.was_met:
            assert step > 8
            return
        await assert_settled(sending, numbered, conversation)
        texts = [entry.text for entry in numbered.delivered(conversation)]
        unknown = [message for message in await numbered.messages(conversation) if message.error]
        assert texts == sorted(set(texts), key=str)
        assert not stored or len(texts) + len(unknown) >= 2
        assert death is not Death.LOST or texts == ["a", "b"]
    pytest.fail("the sends have more requests than expected")
