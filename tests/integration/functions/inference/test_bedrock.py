"""Bedrock as an upstream, over HTTP: its errors, ends of its streams, and callers who leave."""

import json
from collections.abc import Mapping
from typing import Any

import httpx2
import pytest

from tests.support.inference.behaviours import SECRET_TEXT, completion, reply, resets, streams
from tests.support.inference.converse import converse_reply, converse_stream, delta, exception, frame
from tests.support.inference.gateway import Account, Accounts
from tests.support.inference.upstream import Behaviour, FakeUpstream, Gate, eventually, until
from tests.support.inference.wire import CHAT, MESSAGES, RESPONSES, events_of, refused

PATHS = pytest.mark.parametrize("path", [CHAT, MESSAGES])
BILL = 11 * 50 + 7 * 150
FRAMES = converse_stream(converse_reply())
TOOL_USE = {"toolUse": {"toolUseId": "tooluse_1", "name": "weather", "input": {"town": "Pune"}}}
THOUGHT = {"reasoningContent": {"reasoningText": {"text": "Hm.", "signature": "c2lnbmVk"}}}


def asking(**fields: Any) -> dict[str, Any]:
    """A request that both dialects have."""
    hello = [{"role": "user", "content": "Hello"}]
    return {"model": "converse-chat", "max_tokens": 50, "messages": hello, **fields}


async def ask(client: httpx2.AsyncClient, path: str, account: Account, **fields: Any) -> httpx2.Response:
    return await client.post(path, json=asking(**fields), headers=account.headers)


def failure(status: int, kind: str, message: str = f"No: {SECRET_TEXT}") -> Behaviour:
    """A refusal in Bedrock's form."""
    return reply({"message": message}, status, {"x-amzn-ErrorType": kind})


@pytest.mark.parametrize(
    "first",
    [
        failure(429, "ThrottlingException"),
        failure(424, "ModelErrorException"),
        failure(503, "ServiceUnavailableException"),
        failure(408, "ModelTimeoutException"),
        failure(403, "AccessDeniedException"),
        failure(400, "ValidationException", "The provided model identifier is invalid."),
        streams([exception("throttlingException", SECRET_TEXT)]),
        streams([FRAMES[0], exception("modelStreamErrorException", SECRET_TEXT)]),
        streams([FRAMES[0]]),
        resets(),
    ],
)
@PATHS
async def test_failure_before_the_reply_leads_to_the_next_try(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, path: str, first: Behaviour
) -> None:
    account = await accounts.account()
    upstream.will(first, streams(FRAMES))

    response = await ask(client, path, account, stream=True)

    assert response.status_code == 200
    assert "Hello" in response.text
    assert SECRET_TEXT not in response.text
    assert await accounts.assert_balanced(account) == BILL


@PATHS
async def test_invalid_request_is_the_callers_to_change(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, path: str
) -> None:
    account = await accounts.account()
    upstream.will(failure(400, "ValidationException", f"Input is too long for requested model. {SECRET_TEXT}"))

    response = await ask(client, path, account)

    refused(response, 400, "context_length_exceeded")
    assert len(upstream.requests) == 1
    assert await accounts.assert_balanced(account) == 0


@PATHS
@pytest.mark.parametrize(
    "rest",
    [
        [exception("modelStreamErrorException", SECRET_TEXT)],
        [FRAMES[2][:-1]],
        [b"\x00\x00\x00\x14\x00\x00\x00\x00garbage-and-more"],
        [],
    ],
    ids=["exception", "cut", "garbage", "clean end"],
)
async def test_14_stream_that_breaks_ends_with_an_error_and_costs_what_was_written(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, path: str, rest: list[bytes]
) -> None:
    account = await accounts.account()
    upstream.will(streams([FRAMES[0], delta(0, text="Hello there"), *rest]))

    response = await ask(client, path, account, stream=True)

    last = events_of(response.content)[-1] if path == CHAT else _last_message_event(response)
    assert last["error"]["code"] == "provider_error"
    assert SECRET_TEXT not in response.text
    entry = await accounts.entry(account.tenant)
    assert entry["usage"]["outcome"] == "upstream_broke"
    assert entry["usage"]["estimated"]
    assert await accounts.assert_balanced(account) == entry["amount"] > 0


def _last_message_event(response: httpx2.Response) -> dict[str, Any]:
    return json.loads([line for line in response.text.splitlines() if line.startswith("data: ")][-1][6:])


@PATHS
async def test_connection_that_breaks_after_the_usage_costs_the_usage(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, path: str
) -> None:
    account = await accounts.account()
    upstream.will(streams([*FRAMES[:-2], FRAMES[-1]], breaks=True))

    await ask(client, path, account, stream=True)

    entry = await accounts.entry(account.tenant)
    assert entry["usage"]["outcome"] == "upstream_broke"
    assert await accounts.assert_balanced(account) == BILL


@PATHS
async def test_hang_up_ends_the_upstreams_work_and_costs_what_was_written(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, path: str
) -> None:
    account, gate = await accounts.account(), Gate()
    upstream.will(streams([*FRAMES[:2], gate, *FRAMES[2:]]))

    async with client.stream("POST", path, json=asking(stream=True), headers=account.headers) as response:
        async for _ in response.aiter_bytes():
            await gate.reached()
            break

    await eventually(accounts.is_settled, account)
    await until(upstream.only.cut.is_set)
    entry = await accounts.entry(account.tenant)
    assert entry["usage"]["outcome"] == "client_closed"
    assert await accounts.assert_balanced(account) == entry["amount"] > 0


@pytest.mark.parametrize("stream", [False, True])
async def test_tool_turn_of_a_caller_of_messages_comes_back_whole(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, stream: bool
) -> None:
    account = await accounts.account()
    tools = [{"name": "weather", "input_schema": {"type": "object"}}]
    called = converse_reply(THOUGHT, TOOL_USE, stop="tool_use")
    upstream.will(reply(called), streams(FRAMES) if stream else reply(converse_reply()))
    first = (await ask(client, MESSAGES, account, tools=tools)).json()
    result = {"type": "tool_result", "tool_use_id": "tooluse_1", "content": "Rain"}
    turns = [
        *asking()["messages"],
        {"role": "assistant", "content": first["content"]},
        {"role": "user", "content": [result]},
    ]

    response = await ask(client, MESSAGES, account, tools=tools, messages=turns, stream=stream)

    assert response.status_code == 200, response.text
    assert first["stop_reason"] == "tool_use"
    sent = upstream.requests[1]
    assert sent.path.endswith("/converse-stream" if stream else "/converse")
    assert sent.body["messages"][1]["content"] == [THOUGHT, TOOL_USE]
    assert sent.body["messages"][2]["content"] == [
        {"toolResult": {"toolUseId": "tooluse_1", "content": [{"text": "Rain"}]}}
    ]


@PATHS
@pytest.mark.parametrize("stream", [False, True])
async def test_reply_that_bedrock_can_not_read_is_an_error(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, path: str, stream: bool
) -> None:
    account = await accounts.account()
    malformed = converse_reply(stop="malformed_tool_use")
    upstream.will(streams(converse_stream(malformed)) if stream else reply(malformed))

    response = await ask(client, path, account, stream=stream)

    charged = await accounts.assert_balanced(account)
    if stream:
        assert "provider_error" in response.text
        assert charged == BILL
    else:
        refused(response, 502, "upstream_error")
        assert charged == 0


USAGE = {"inputTokens": 5, "outputTokens": 3, "cacheReadInputTokens": 7, "cacheWriteInputTokens": 11}


@PATHS
@pytest.mark.parametrize("stream", [False, True])
async def test_29_30_cache_has_prices_of_its_own(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, path: str, stream: bool
) -> None:
    account = await accounts.account()
    cached = converse_reply(usage=USAGE)
    upstream.will(streams(converse_stream(cached)) if stream else reply(cached))

    response = await ask(client, path, account, stream=stream)

    assert response.status_code == 200
    assert await accounts.assert_balanced(account) == 5 * 50 + 7 * 5 + 11 * 60 + 3 * 150


async def test_cache_marks_reach_bedrock_as_points(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account()
    marked = {"type": "text", "text": "Hello", "cache_control": {"type": "ephemeral"}}
    upstream.will(reply(converse_reply()))

    response = await ask(client, MESSAGES, account, messages=[{"role": "user", "content": [marked]}])

    assert response.status_code == 200
    assert upstream.only.body["messages"][0]["content"] == [{"text": "Hello"}, {"cachePoint": {"type": "default"}}]


@PATHS
async def test_idempotent_call_is_answered_and_charged_once(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, path: str
) -> None:
    account = await accounts.account()
    upstream.will(reply(converse_reply()))
    headers = {**account.headers, "Idempotency-Key": f"bedrock-{path}"}

    first, second = [await client.post(path, json=asking(), headers=headers) for _ in range(2)]

    assert first.content == second.content
    assert second.headers["idempotent-replayed"] == "true"
    assert await accounts.assert_balanced(account) == BILL


@pytest.mark.parametrize("stream", [False, True])
async def test_caller_of_responses_is_served_too(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, stream: bool
) -> None:
    account = await accounts.account()
    called = converse_reply(THOUGHT, {"text": "Hello there"}, TOOL_USE, stop="tool_use")
    upstream.will(streams(converse_stream(called)) if stream else reply(called))
    tools = [{"type": "function", "name": "weather", "parameters": {"type": "object"}}]
    body = {"model": "converse-chat", "input": "Hello", "tools": tools, "stream": stream, "store": False}

    response = await client.post(RESPONSES, json=body, headers=account.headers)

    assert response.status_code == 200, response.text
    whole = _last_message_event(response)["response"] if stream else response.json()
    assert [item["type"] for item in whole["output"]] == ["reasoning", "message", "function_call"]
    assert whole["status"] == "completed"
    assert await accounts.assert_balanced(account) == BILL


async def test_image_by_url_goes_inline(client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream) -> None:
    account = await accounts.account()
    parts = [{"type": "image_url", "image_url": {"url": "https://127.0.0.1/a.png"}}]

    response = await ask(client, CHAT, account, messages=[{"role": "user", "content": parts}])

    refused(response, 400, "invalid_media_url", param="messages.0.content.0")
    assert upstream.requests == []
    assert await accounts.assert_balanced(account) == 0


FOREIGN: Mapping[str, Any] = {"whole": completion(), "frames": frame("messageStart").decode("latin-1")}


@PATHS
@pytest.mark.parametrize("body", FOREIGN.values(), ids=FOREIGN)
async def test_reply_of_another_dialect_is_an_error(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, path: str, body: Any
) -> None:
    account = await accounts.account()
    upstream.will(reply(body))

    refused(await ask(client, path, account), 502, "upstream_error")
    assert await accounts.assert_balanced(account) == 0
