"""A request with an Idempotency-Key that is run again: what surely failed is sent anew, and nothing else."""

import secrets

import httpx2
import pytest

from callmissed.clock import MINUTE, SECOND
from callmissed.platform.tables import CONVERSATIONS
from functions.bots.conversations.messages import MessageState
from functions.bots.conversations.records import StoredConversation
from tests.support.bots.bots_api import NOW, BotsApi, BotTenant, refused
from tests.support.bots.whatsapp_numbers import NumberedTenant

pytestmark = pytest.mark.asyncio(loop_scope="session")
PATH = "/api/v1/whatsapp/messages"


class KeyedText:
    """A keyed request, which may be run several times."""

    def __init__(self, key: BotTenant, conversation: StoredConversation, text: str = "hello") -> None:
        self._key = key
        self._operation = secrets.token_hex(16)
        self._new = {"phone_number_id": conversation.number_id, "to": conversation.user.wa_id, "text": text}

    async def run(self) -> httpx2.Response:
        """The answer of one run."""
        begun = {"x-begun": str(NOW)}
        return await self._key.call("POST", PATH, json=self._new, operation=self._operation, headers=begun)


async def test_request_that_surely_sent_nothing_sends_when_it_is_run_again(
    api: BotsApi, numbered: NumberedTenant
) -> None:
    conversation = await numbered.conversation()
    request = KeyedText(api.tenant(numbered.id), conversation, "x " * 4000)
    numbered.sending.graph.fault("error", code=131048, times=2, to=conversation.user.wa_id)
    for _ in range(2):
        refused(await request.run(), 429, "throughput_limited")
    sent = await request.run()
    assert sent.status_code == 200, sent.text
    assert (await request.run()).json() == sent.json()
    assert len(numbered.delivered(conversation)) == 2
    statuses = [message.status for message in await numbered.messages(conversation)]
    assert sorted(statuses) == [MessageState.FAILED] * 4 + [MessageState.SENT] * 2


async def test_retry_comes_after_what_was_said_meanwhile(api: BotsApi, numbered: NumberedTenant) -> None:
    conversation = await numbered.conversation()
    request = KeyedText(api.tenant(numbered.id), conversation)
    numbered.sending.graph.fault("error", code=131048, times=1, to=conversation.user.wa_id)
    refused(await request.run(), 429, "throughput_limited")
    numbered.sending.clock.now += 5 * MINUTE
    await numbered.received(conversation, "Hello?")
    api.clock.now = numbered.sending.clock.now + 2 * SECOND
    assert (await request.run()).status_code == 200
    texts = [message.text for message in await numbered.messages(conversation)]
    assert texts == ["hello", "Hello?", "hello"]


async def test_keyed_answer_comes_after_the_message_of_the_same_second(api: BotsApi, numbered: NumberedTenant) -> None:
    conversation = await numbered.conversation()
    numbered.sending.clock.now += SECOND // 2
    await numbered.received(conversation, "Do you have bread?")
    assert (await KeyedText(api.tenant(numbered.id), conversation, "Yes").run()).status_code == 200
    texts = [message.text for message in await numbered.messages(conversation)]
    assert texts == ["Do you have bread?", "Yes"]


async def test_message_of_which_nobody_knows_is_not_sent_anew(api: BotsApi, numbered: NumberedTenant) -> None:
    conversation = await numbered.conversation()
    request = KeyedText(api.tenant(numbered.id), conversation)
    numbered.sending.graph.fault("lose_answer", times=1, to=conversation.user.wa_id)
    assert (await request.run()).status_code == 202
    numbered.sending.clock.now += 2 * MINUTE + SECOND
    await numbered.sending.queue.work(await numbered.current(conversation))
    again = await request.run()
    assert again.status_code == 200, again.text
    assert again.json()["messages"][0]["error"]["title"] == "delivery_unknown"
    assert len(numbered.delivered(conversation)) == 1


async def test_messages_are_found_in_a_conversation_that_ended_since(api: BotsApi, numbered: NumberedTenant) -> None:
    old = await numbered.conversation()
    request = KeyedText(api.tenant(numbered.id), old)
    first = await request.run()
    assert first.status_code == 200
    for _ in range(2):
        latest = await numbered.conversation(wa_id=old.user.wa_id, previous=old.id)
        await numbered.sending.database.update(CONVERSATIONS, old.key, set={"status": "completed"})
        old = latest

    again = await request.run()

    assert again.json() == first.json()
    assert len(numbered.delivered(old)) == 1
