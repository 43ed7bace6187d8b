"""Streamed chat completions through the official SDKs, seen chunk by chunk as they come."""

from typing import Any

import pytest
import pytest_asyncio

from tests.support.inference.behaviours import (
    DONE,
    USAGE,
    WORDS,
    chunk,
    content_events,
    event,
    streams,
    usage_event,
    whole_stream,
)
from tests.support.inference.gateway import Account, Accounts
from tests.support.inference.upstream import FakeUpstream, Gate, eventually, until
from tests.support.sdks.interface import Sdk, SdkError

HELLO: list[dict[str, Any]] = [{"role": "user", "content": "Hello"}]
ASKED: dict[str, Any] = {"model": "lab-chat", "messages": HELLO}


@pytest_asyncio.fixture
async def account(accounts: Accounts) -> Account:
    return await accounts.account()


def text_of(chunks: list[Any]) -> str:
    return "".join(choice["delta"].get("content") or "" for chunk in chunks for choice in chunk["choices"])


def test_a_stream(sdk: Sdk, account: Account, upstream: FakeUpstream) -> None:
    chunks = list(sdk.stream(account.secret, **ASKED))

    assert text_of(chunks) == "".join(WORDS)
    assert chunks[0]["choices"][0]["delta"]["role"] == "assistant"
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"
    assert not any(chunk.get("usage") for chunk in chunks)


def test_usage_comes_to_who_asks(sdk: Sdk, account: Account, upstream: FakeUpstream) -> None:
    *chunks, last = list(sdk.stream(account.secret, **ASKED, stream_options={"include_usage": True}))

    assert text_of(chunks) == "".join(WORDS)
    assert last["choices"] == []
    assert {name: last["usage"][name] for name in USAGE} == USAGE


def test_the_first_chunk_comes_before_the_upstream_has_finished(
    sdk: Sdk, account: Account, upstream: FakeUpstream
) -> None:
    gates = [Gate(), Gate()]
    first, second, *rest = whole_stream()
    upstream.will(streams([first, gates[0], second, gates[1], *rest]))
    chunks = sdk.stream(account.secret, **ASKED)

    seen = [next(chunks)]
    assert not upstream.only.answered.is_set()
    gates[0].open()
    seen.append(next(chunks))
    assert not upstream.only.answered.is_set()
    gates[1].open()
    seen += list(chunks)

    assert text_of(seen) == "".join(WORDS)


async def test_the_wallet_is_settled_when_the_stream_ends(
    sdk: Sdk, account: Account, accounts: Accounts, upstream: FakeUpstream
) -> None:
    list(sdk.stream(account.secret, **ASKED))

    assert await accounts.assert_balanced(account) == 11 * 50 + 7 * 150


def test_tool_calls_come_in_pieces(sdk: Sdk, account: Account, upstream: FakeUpstream) -> None:
    pieces = [
        {"role": "assistant", "tool_calls": [{"index": 0, "id": "call_1", "function": {"name": "weather"}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": '{"city":'}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": '"Pune"}'}}]},
    ]
    sent = [*map(event, map(chunk, pieces)), event(chunk({}, finish="tool_calls")), usage_event(), DONE]
    upstream.will(streams(sent))

    chunks = list(sdk.stream(account.secret, **ASKED))

    calls = [call for chunk in chunks for call in chunk["choices"][0]["delta"].get("tool_calls") or []]
    assert "".join(call["function"].get("arguments") or "" for call in calls) == '{"city":"Pune"}'
    assert chunks[-1]["choices"][0]["finish_reason"] == "tool_calls"


def test_an_error_in_the_midst_is_raised(sdk: Sdk, account: Account, upstream: FakeUpstream) -> None:
    upstream.will(streams(content_events()[:2], breaks=True))
    chunks = sdk.stream(account.secret, **ASKED)

    assert text_of([next(chunks), next(chunks)]) == "".join(WORDS[:2])
    with pytest.raises(SdkError) as raised:
        next(chunks)
    assert (raised.value.name, raised.value.code) == ("APIError", "provider_error")
    assert "broke off" in raised.value.message


async def test_hanging_up_cuts_the_upstream_and_is_settled(
    sdk: Sdk, account: Account, accounts: Accounts, upstream: FakeUpstream
) -> None:
    upstream.will(streams([*content_events()[:2], Gate(), DONE]))
    chunks = sdk.stream(account.secret, **ASKED)
    next(chunks)

    chunks.close()  # pyright: ignore[reportAttributeAccessIssue]  it is a generator

    await until(upstream.only.cut.is_set)
    await eventually(accounts.is_settled, account)
    assert (await accounts.entry(account.tenant))["usage"]["outcome"] == "client_closed"
    assert await accounts.assert_balanced(account) > 0
