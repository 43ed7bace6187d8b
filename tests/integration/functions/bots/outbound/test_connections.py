"""Slow connections to Graph: what has no connection in time never leaves, so that a take-over waits long enough."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from socket import AF_INET

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from callmissed.clock import Micros
from callmissed.http.client import SafeClient
from callmissed.platform.tables import CONVERSATIONS
from functions.bots.channels.whatsapp import graph
from functions.bots.channels.whatsapp.graph import CONNECT_SECONDS, GraphClient
from functions.bots.conversations.records import to_conversation_item
from functions.bots.conversations.take_over import MAX_WAIT_SECONDS
from functions.bots.outbound.attempts import SendAttempts
from functions.bots.outbound.claims import RELEASE_SECONDS
from functions.bots.outbound.errors import TakenOver
from functions.bots.outbound.sending import MessageSender
from functions.bots.whatsapp.messages.service import CLAIM_SECONDS
from tests.support.bots.whatsapp_numbers import SEALER, NumberedTenant, SendingProcess, fenced


class SlowNames(AbstractResolver):
    """Names that are looked up slowly; something else happens meanwhile."""

    def __init__(self, meanwhile: Callable[[], Awaitable[None]]) -> None:
        self._meanwhile = meanwhile

    async def resolve(self, host: str, port: int = 0, family: int = AF_INET) -> list[ResolveResult]:
        await self._meanwhile()
        await asyncio.sleep(0.3)
        return [ResolveResult(hostname=host, host="127.0.0.1", port=port, family=AF_INET, proto=0, flags=0)]

    async def close(self) -> None:
        """Nothing to close."""


def test_people_wait_longer_than_a_bots_message_may_take_to_leave() -> None:
    assert min(MAX_WAIT_SECONDS, CLAIM_SECONDS) > RELEASE_SECONDS + CONNECT_SECONDS


@pytest.mark.asyncio(loop_scope="session")
async def test_message_without_a_connection_in_time_does_not_leave_after_a_take_over(
    numbered: NumberedTenant, sending: SendingProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    conversation, fence = fenced(await numbered.conversation())
    await sending.database.put(CONVERSATIONS, to_conversation_item(conversation))

    async def take_over() -> None:
        await sending.attempts.claims.take_over(conversation, Micros(sending.clock.now))

    monkeypatch.setattr(graph, "CONNECT_SECONDS", 0.05)
    http = SafeClient(allow_loopback=True, resolver=SlowNames(take_over))
    client = GraphClient(sending.graph.url.replace("127.0.0.1", "localhost") + "/v24.0", http)
    time = sending.time
    attempts = SendAttempts(sending.database, client, SEALER, clock=sending.clock, monotonic=time, sleep=time.sleep)
    with pytest.raises(TakenOver):
        await MessageSender(attempts).send(conversation, numbered.number, sending.draft(author="bot"), fence)
    await http.close()
    assert numbered.delivered(conversation) == []
    assert await numbered.messages(conversation) == []
    left = await numbered.current(conversation)
    assert replace(left, changed="", due=None) == replace(conversation, changed="", autoreply=False, epoch=1)
