"""Callers that hang up: the upstream is cut off where that is seen, and the one rule of counting is applied."""

import asyncio
import json
import socket
import struct
from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
import pytest_asyncio

from callmissed_ai.dialects.openai_chat.usage import count_request
from callmissed_ai.tokens import counting as tokens
from tests.support.inference.behaviours import (
    DONE,
    WORDS,
    chunk,
    completion,
    content_events,
    endless,
    event,
    reply,
    streams,
    whole_stream,
)
from tests.support.inference.gateway import Account, Accounts, ServedGateway
from tests.support.inference.upstream import FakeUpstream, Gate, eventually, until
from tests.support.inference.wire import CHAT, HELLO

Leave = Callable[[asyncio.StreamWriter], None]


class Caller:
    """A caller on a bare socket, who reads what it likes and leaves as it likes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def ask(self, account: Account, **fields: Any) -> None:
        body = json.dumps({**HELLO, **fields}).encode()
        await self.send(account, len(body), body)

    async def send(self, account: Account, length: int, body: bytes) -> None:
        """Send a head that promises `length` bytes, and `body`."""
        lines = [f"POST {CHAT} HTTP/1.1", "Host: gateway", f"X-Api-Key: {account.secret}", f"Content-Length: {length}"]
        self.writer.write("\r\n".join([*lines, "", ""]).encode() + body)
        await self.writer.drain()


def closes(writer: asyncio.StreamWriter) -> None:
    """Closes the connection in order."""
    writer.close()


def resets(writer: asyncio.StreamWriter) -> None:
    """Throws the connection away."""
    connection: socket.socket = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


@pytest_asyncio.fixture
async def caller(gateway: ServedGateway) -> AsyncIterator[Caller]:
    address = urlsplit(gateway.url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    yield Caller(reader, writer)
    writer.close()


async def settled(accounts: Accounts, account: Account) -> dict[str, Any]:
    """The call's entry, once it is there and the wallet too."""
    await eventually(accounts.is_settled, account)
    return await accounts.entry(account.tenant)


WAYS = pytest.mark.parametrize("leave", [closes, resets], ids=["close", "reset"])


@WAYS
async def test_a_hang_up_in_a_stream_cuts_the_upstream_and_costs_what_was_written(
    caller: Caller, accounts: Accounts, upstream: FakeUpstream, leave: Leave
) -> None:
    account = await accounts.account(budget=10**9)
    upstream.will(streams([*content_events()[:3], Gate(), DONE]))
    await caller.ask(account, stream=True)
    await caller.reader.readuntil(content_events()[2])

    leave(caller.writer)

    await until(upstream.only.cut.is_set)
    entry = await settled(accounts, account)
    written = count_request(HELLO) * 50 + tokens.count_text("".join(WORDS[:3])) * 150
    assert entry["amount"] == await accounts.assert_balanced(account) == written
    assert (entry["usage"]["outcome"], entry["usage"]["estimated"]) == ("client_closed", True)
    assert (await accounts.key_item(account.secret))["kb"] == 10**9 - written


async def test_what_the_provider_reported_before_the_hang_up_counts(
    caller: Caller, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account()
    with_usage = event(chunk({"content": "Hello"}, usage={"prompt_tokens": 40, "completion_tokens": 2}))
    upstream.will(streams([with_usage, Gate(), DONE]))
    await caller.ask(account, stream=True)
    await caller.reader.readuntil(b"Hello")

    closes(caller.writer)

    entry = await settled(accounts, account)
    assert entry["amount"] == await accounts.assert_balanced(account) == 40 * 50 + 2 * 150
    assert "estimated" not in entry["usage"]


@WAYS
async def test_an_upstream_that_never_stops_is_cut_when_the_caller_leaves(
    caller: Caller, accounts: Accounts, upstream: FakeUpstream, leave: Leave
) -> None:
    account = await accounts.account()
    upstream.will(endless(event(chunk({"content": "on and "}))))
    await caller.ask(account, stream=True)
    await caller.reader.readuntil(b"on and ")

    leave(caller.writer)

    await until(upstream.only.cut.is_set)
    entry = await settled(accounts, account)
    assert entry["usage"]["outcome"] == "client_closed"
    assert 0 < await accounts.assert_balanced(account) <= entry["held"][0]


async def test_a_caller_that_stops_reading_and_leaves_is_settled(
    caller: Caller, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account()
    upstream.will(endless(event(chunk({"content": "word"}, padding="x" * 1_000))))
    await caller.ask(account, stream=True)
    await caller.reader.readuntil(b"word")
    caller.writer.transport.pause_reading()  # pyright: ignore[reportAttributeAccessIssue]  sockets' transports can

    resets(caller.writer)

    await until(upstream.only.cut.is_set)
    assert (await settled(accounts, account))["usage"]["outcome"] == "client_closed"
    await accounts.assert_balanced(account)


@WAYS
async def test_a_hang_up_before_the_first_byte_cuts_the_stream_when_it_begins(
    caller: Caller, accounts: Accounts, upstream: FakeUpstream, leave: Leave
) -> None:
    account, gate = await accounts.account(), Gate()
    upstream.will(streams([gate, *content_events(), Gate(), DONE]))
    await caller.ask(account, stream=True)
    await gate.reached()

    leave(caller.writer)
    gate.open()

    await until(upstream.only.cut.is_set)
    assert (await settled(accounts, account))["usage"]["outcome"] == "client_closed"
    await accounts.assert_balanced(account)


async def test_a_blocking_call_runs_on_and_costs_what_it_cost(
    caller: Caller, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account, gate = await accounts.account(), Gate()
    upstream.will(reply(completion(), gate=gate))
    await caller.ask(account)
    await gate.reached()

    closes(caller.writer)
    gate.open()

    assert (await settled(accounts, account))["usage"]["outcome"] == "completed"
    assert await accounts.assert_balanced(account) == 11 * 50 + 7 * 150


async def test_a_hang_up_in_the_midst_of_the_request_costs_nothing_and_is_no_failure(
    caller: Caller, accounts: Accounts, upstream: FakeUpstream, caplog: pytest.LogCaptureFixture
) -> None:
    account = await accounts.account()
    await caller.send(account, 5000, b'{"model": "lab-chat", ')

    closes(caller.writer)
    await caller.reader.read()

    await accounts.assert_untouched(account)
    assert upstream.requests == []
    assert "unexpected failure" not in caplog.text


async def test_after_the_whole_stream_a_hang_up_changes_nothing(
    caller: Caller, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account()
    upstream.will(streams(whole_stream()))
    await caller.ask(account, stream=True)
    await caller.reader.readuntil(DONE)

    resets(caller.writer)

    entry = await accounts.entry(account.tenant)
    assert entry["usage"]["outcome"] == "completed"
    assert await accounts.assert_balanced(account) == 11 * 50 + 7 * 150
