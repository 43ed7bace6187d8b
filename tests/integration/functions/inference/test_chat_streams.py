"""Streams: bytes pass as they come, the usage chunk only to who asked, the end only after the ledger entry."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.types import Message, Receive, Scope, Send

from callmissed.aws.dynamodb import DynamoDB, Exchange
from callmissed_ai.answers import events
from callmissed_ai.calls.container import create_container
from callmissed_ai.dialects.openai_chat.usage import count_request
from callmissed_ai.routing import attempt
from callmissed_ai.tokens import counting as tokens
from functions.inference.app import create_app
from local.aws.tables import StageTables
from tests.support.inference.behaviours import (
    DONE,
    SECRET_TEXT,
    USAGE,
    chunk,
    content_events,
    endless,
    event,
    fails,
    streams,
    usage_event,
    whole_stream,
)
from tests.support.inference.gateway import REGION, Account, Accounts, settings_for
from tests.support.inference.upstream import FakeUpstream, Gate, eventually, until
from tests.support.inference.wire import CHAT, HELLO, chat, events_of
from tests.support.threads import uvicorn_serving

ASKING: dict[str, Any] = {"stream": True, "stream_options": {"include_usage": True}}
REPORTED = 11 * 50 + 7 * 150


def opened(client: httpx2.AsyncClient, account: Account, **fields: Any) -> Any:
    """A streamed call as a context manager; its response is read piece by piece."""
    return client.stream("POST", CHAT, json={**HELLO, "stream": True, **fields}, headers=account.headers)


async def read_until(pieces: AsyncIterator[bytes], wanted: bytes) -> bytes:
    """What came up to the piece that completes `wanted`."""
    got = b""
    while wanted not in got:
        got += await anext(pieces)
    return got


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Heads leave at once, and comments often."""
    monkeypatch.setattr(events, "_HEAD_SECONDS", 0.01)
    monkeypatch.setattr(events, "_PING_SECONDS", 0.01)


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"], ids=["LF", "CRLF", "CR"])
async def test_bytes_pass_unchanged_without_the_usage_chunk(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, line_end: bytes
) -> None:
    account = await accounts.account()
    oddities = [b": a comment\n\n", b"event: message\nid: 7\nretry: 10\n" + event(chunk({"content": "\u00e9"}))]
    sent = [piece.replace(b"\n", line_end) for piece in [*oddities, *content_events()]]
    upstream.will(streams([*sent, usage_event().replace(b"\n", line_end), DONE.replace(b"\n", line_end)]))

    response = await chat(client, account, stream=True)

    assert response.content == b"".join(sent) + DONE
    assert upstream.only.body["stream_options"] == {"include_usage": True}
    assert await accounts.assert_balanced(account) == REPORTED


async def test_who_asks_for_usage_gets_every_byte(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account()
    upstream.will(streams(whole_stream()))

    response = await chat(client, account, **ASKING)

    assert response.content == b"".join(whole_stream())
    assert events_of(response.content)[-2]["usage"] == USAGE


async def test_other_stream_options_stay(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account()

    await chat(client, account, stream=True, stream_options={"include_usage": False, "x": 1})

    assert upstream.only.body["stream_options"] == {"include_usage": True, "x": 1}


async def test_events_may_be_split_anywhere(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account()
    upstream.will(streams([bytes([byte]) for byte in b"".join(whole_stream())]))

    response = await chat(client, account, stream=True)

    assert response.content == b"".join(content_events()) + DONE
    assert await accounts.assert_balanced(account) == REPORTED


async def test_a_first_piece_of_one_byte_is_no_garbage(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, impatient: None
) -> None:
    account, gate = await accounts.account(), Gate()
    whole = b"".join(whole_stream())
    upstream.will(streams([whole[:1], gate, whole[1:]]))

    async with opened(client, account) as response:
        await gate.reached()
        assert response.status_code == 200
        gate.open()
        assert await response.aread() == b"".join(content_events()) + DONE


async def test_the_first_event_arrives_before_the_upstream_has_finished(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account, gate = await accounts.account(), Gate()
    first, *rest = whole_stream()
    upstream.will(streams([first, gate, *rest]))

    async with opened(client, account) as response:
        pieces = response.aiter_raw()
        got = await read_until(pieces, first)
        assert not upstream.only.answered.is_set()
        assert await accounts.entries(account.tenant) == []
        gate.open()
        got += b"".join([piece async for piece in pieces])

    assert got == b"".join(content_events()) + DONE


async def test_headers_of_a_stream(client: httpx2.AsyncClient, accounts: Accounts) -> None:
    account = await accounts.account()

    headers = (await chat(client, account, stream=True)).headers

    assert headers["content-type"].startswith("text/event-stream")
    assert headers["cache-control"] == "no-cache, no-transform"
    assert "content-length" not in headers
    assert headers["x-generation-id"].removeprefix("gen_") == headers["x-request-id"].removeprefix("req_")
    assert headers["x-quota-remaining"] == "49999"
    assert headers["x-ratelimit-limit"] == "10000"
    assert headers["ratelimit-policy"] == '"key";q=60000;w=60'


@pytest.fixture
async def order(
    store: StageTables, providers_file: Path, accounts: Accounts
) -> AsyncIterator[Callable[[], Awaitable[list[str]]]]:
    """Streams one call and returns in which order writes were answered and the end was sent."""
    seen: list[str] = []

    def observe(exchange: Exchange) -> None:
        seen.append(f"{exchange.operation} {exchange.table.rpartition('-')[2]}")

    dynamodb = DynamoDB(REGION, store.endpoint, timeout_seconds=20, observe=observe)
    app = create_app(create_container(settings_for(store, providers_file), dynamodb=dynamodb))

    async def watched(scope: Scope, receive: Receive, send: Send) -> None:
        async def noting(message: Message) -> None:
            if DONE in message.get("body", b""):
                seen.append("end sent")
            await send(message)

        await app(scope, receive, noting)

    async def call() -> list[str]:
        assert (await chat(client, await accounts.account(), stream=True)).content.endswith(DONE)
        return seen

    with uvicorn_serving(watched) as url:
        async with httpx2.AsyncClient(base_url=url, trust_env=False) as client:
            yield call


async def test_the_end_is_sent_after_the_entry_and_the_wallet_are_written(
    order: Callable[[], Awaitable[list[str]]], upstream: FakeUpstream
) -> None:
    assert await order() == [
        "UpdateItem keys",
        "UpdateItem wallets",
        "PutItem ledger",
        "UpdateItem wallets",
        "end sent",
    ]


async def test_at_the_moment_the_end_arrives_the_entry_exists(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account()
    async with opened(client, account) as response:
        await read_until(response.aiter_raw(), DONE)
        assert await accounts.assert_balanced(account) == REPORTED


async def test_silence_is_filled_with_comments_between_whole_events(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "_PING_SECONDS", 0.01)
    account, gate = await accounts.account(), Gate()
    first, *rest = whole_stream()
    upstream.will(streams([first + rest[0][:20], gate, rest[0][20:], *rest[1:]]))

    async with opened(client, account) as response:
        pieces = response.aiter_raw()
        got = await read_until(pieces, b": ping\n\n: ping\n\n")
        gate.open()
        got += b"".join([piece async for piece in pieces])

    assert got.replace(b": ping\n\n", b"") == b"".join(content_events()) + DONE
    assert events_of(got)


PING = b": ping\n\n"


async def test_head_and_comments_leave_before_the_reply_begins(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, impatient: None
) -> None:
    account, gate = await accounts.account(), Gate()
    upstream.will(streams([b": wait\n\n", gate, event({"error": SECRET_TEXT})]))

    async with opened(client, account) as response:
        pieces = response.aiter_raw()
        got = await read_until(pieces, PING * 2)
        gate.open()
        got += b"".join([piece async for piece in pieces])

    assert (response.status_code, got.replace(PING, b"")) == (200, b"".join(content_events()) + DONE)
    assert len(upstream.requests) == 2
    assert await accounts.assert_balanced(account) == REPORTED


async def test_search_that_fails_behind_an_open_head_ends_with_an_error_event_and_is_free(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, impatient: None
) -> None:
    account, gate = await accounts.account(budget=10**9), Gate()
    upstream.will(streams([gate, event({"error": SECRET_TEXT})]), fails(500))

    async with opened(client, account) as response:
        pieces = response.aiter_raw()
        got = await read_until(pieces, PING)
        gate.open()
        got += b"".join([piece async for piece in pieces])

    [last] = events_of(got)
    assert (last["error"]["code"], last["error"]["request_id"]) == ("provider_error", response.headers["x-request-id"])
    assert SECRET_TEXT.encode() not in got
    await accounts.assert_untouched(account)
    assert (await accounts.key_item(account.secret))["kb"] == 10**9


async def test_refusal_behind_an_open_head_is_an_error_event(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, impatient: None
) -> None:
    account, gate = await accounts.account(), Gate()
    upstream.will(streams([gate, event({"error": SECRET_TEXT})]), fails(400, param="tools"))

    async with opened(client, account) as response:
        pieces = response.aiter_raw()
        got = await read_until(pieces, PING)
        gate.open()
        got += b"".join([piece async for piece in pieces])

    [last] = events_of(got)
    assert (last["error"]["code"], last["error"]["param"]) == ("invalid_request_error", "tools")
    await accounts.assert_untouched(account)


async def test_caller_that_leaves_an_open_head_ends_the_search_and_pays_nothing(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, impatient: None
) -> None:
    account, gate = await accounts.account(budget=10**9), Gate()
    upstream.will(streams([gate, DONE]))

    async with opened(client, account) as response:
        await read_until(response.aiter_raw(), PING)

    await until(upstream.only.cut.is_set)
    await eventually(is_given_back, accounts, account)
    await accounts.assert_untouched(account)


async def is_given_back(accounts: Accounts, account: Account) -> bool:
    """Whether neither wallet nor key lack anything."""
    return await accounts.wallet(account.tenant) == account.before and (
        (await accounts.key_item(account.secret))["kb"] == 10**9
    )


async def test_upstream_that_does_not_begin_in_time_is_left(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempt, "_BEGINNING_SECONDS", 0.1)
    account = await accounts.account()
    upstream.will(endless(b": wait\n\n"))

    response = await chat(client, account, stream=True)

    assert response.content == b"".join(content_events()) + DONE
    await until(upstream.requests[0].cut.is_set)
    assert await accounts.assert_balanced(account) == REPORTED


async def test_connections_are_kept_for_the_next_call(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account()

    for _ in range(5):
        assert (await chat(client, account, stream=True)).content.endswith(DONE)

    assert len({received.peer for received in upstream.requests}) == 1


@pytest.mark.parametrize("number", [1, 3])
async def test_choices_pass_as_they_are(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, number: int
) -> None:
    account = await accounts.account()
    pieces = [
        event({"choices": [{"index": index, "delta": {"content": str(index)}}]}) for index in reversed(range(number))
    ]
    upstream.will(streams([*pieces, DONE]))

    response = await chat(client, account, stream=True, n=number)

    assert response.content == b"".join([*pieces, DONE])
    written = "".join(str(index) for index in reversed(range(number)))
    assert await accounts.assert_balanced(account) == count_request(HELLO) * 50 + tokens.count_text(written) * 150
