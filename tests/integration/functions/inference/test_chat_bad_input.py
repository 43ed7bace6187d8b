"""Requests that mean nothing: the right envelope, and nothing held or charged."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from callmissed.keys.secret import Mode
from callmissed.platform.routes import MAX_BODY_BYTES
from tests.support.inference.gateway import Account, Accounts
from tests.support.inference.upstream import FakeUpstream
from tests.support.inference.wire import CHAT, HELLO, IMAGE, chat, refused

MESSAGE = {"role": "user", "content": "Hello"}

NOT_AN_OBJECT = {
    "empty": b"",
    "cut off": b'{"model": "lab-chat", "messages": [',
    "trailing text": json.dumps(HELLO).encode() + b" x",
    "an array": b"[]",
    "null": b"null",
    "a string": b'"lab-chat"',
    "a form": b"model=lab-chat&messages=hi",
    "not UTF-8": b'{"model": "lab-chat", "messages": [{"role": "user", "content": "\xff\xfe"}]}',
    "UTF-16": json.dumps(HELLO).encode("utf-16"),
    "a byte order mark": b"\xef\xbb\xbf" + json.dumps(HELLO).encode(),
    "overlong UTF-8": b'{"model": "lab-chat\xc0\x80", "messages": []}',
    "an encoded surrogate": b'{"model": "lab-chat", "messages": [{"role": "user", "content": "\xed\xa0\x80"}]}',
    "half a surrogate pair": b'{"model": "lab-chat", "messages": [{"role": "user", "content": "\\ud83d"}]}',
    "the other half": b'{"model": "lab-chat", "messages": [{"role": "user", "content": "\\ude00 x"}]}',
    "half a pair in a key": b'{"model": "lab-chat", "\\ud83d": 1, "messages": [{"role": "user", "content": "x"}]}',
    "half a pair twice as a key": b'{"\\ud83d": 1, "\\ud83d": 2}',
    "NaN": b'{"model": "lab-chat", "temperature": NaN, "messages": [{"role": "user", "content": "x"}]}',
    "Infinity": b'{"model": "lab-chat", "temperature": Infinity, "messages": [{"role": "user", "content": "x"}]}',
    "-Infinity": b'{"model": "lab-chat", "x": -Infinity, "messages": [{"role": "user", "content": "x"}]}',
    "a number beyond floats": b'{"model": "lab-chat", "x": 1e999, "messages": [{"role": "user", "content": "x"}]}',
    "a doubled key": b'{"model": "lab-chat", "model": "lab-free", "messages": [{"role": "user", "content": "x"}]}',
    "a doubled key inside": b'{"model": "lab-chat", "messages": [{"role": "user", "content": "x", "content": "y"}]}',
    "a key doubled by an escape": b'{"model": "lab-chat", "\\u006dodel": "lab-free", "messages": []}',
    "deep arrays": b'{"model": "lab-chat", "x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "deep objects": b'{"model": "lab-chat", "x": ' + b'{"x":' * 50_000 + b"1" + b"}" * 50_000 + b"}",
    "an integer of 5,000 digits": b'{"model": "lab-chat", "seed": ' + b"9" * 5_000 + b"}",
}

WRONG_FIELDS: list[tuple[str, dict[str, Any]]] = [
    ("model", {"model": None}),
    ("model", {"model": 5}),
    ("model", {"model": ""}),
    ("model", {"model": "x" * 201}),
    ("model", {"model": ["lab-chat"]}),
    ("messages", {"messages": None}),
    ("messages", {"messages": []}),
    ("messages", {"messages": "Hello"}),
    ("messages", {"messages": {"role": "user"}}),
    ("messages", {"messages": [MESSAGE] * 10_001}),
    ("messages.0", {"messages": ["Hello"]}),
    ("messages.0.role", {"messages": [{"content": "Hello"}]}),
    ("messages.0.role", {"messages": [{"role": "root", "content": "Hello"}]}),
    ("messages.1.role", {"messages": [MESSAGE, {"role": 7}]}),
    ("messages.0.content", {"messages": [{"role": "user", "content": 5}]}),
    ("messages.0.content", {"messages": [{"role": "user", "content": {"type": "text"}}]}),
    ("messages.0.content", {"messages": [{"role": "user", "content": [{"text": "no type"}]}]}),
    ("messages.0.content", {"messages": [{"role": "user", "content": ["text"]}]}),
    ("stream", {"stream": "yes"}),
    ("stream", {"stream": 1}),
    ("stream_options", {"stream": True, "stream_options": "usage"}),
    ("stream_options.include_usage", {"stream": True, "stream_options": {"include_usage": "yes"}}),
    ("temperature", {"temperature": 2.5}),
    ("temperature", {"temperature": -0.1}),
    ("temperature", {"temperature": "1"}),
    ("max_tokens", {"max_tokens": 0}),
    ("max_tokens", {"max_tokens": -1}),
    ("max_tokens", {"max_tokens": 1.5}),
    ("max_tokens", {"max_tokens": "100"}),
    ("max_tokens", {"max_tokens": True}),
    ("max_tokens", {"max_tokens": 10**9}),
    ("max_tokens", {"max_tokens": 10**300}),
    ("max_completion_tokens", {"max_completion_tokens": -5}),
    ("max_completion_tokens", {"max_completion_tokens": 10**9}),
    ("max_tokens", {"max_completion_tokens": 5, "max_tokens": 10**9}),
    ("n", {"n": 0}),
    ("n", {"n": 129}),
    ("n", {"n": 10**300}),
    ("top_p", {"top_p": 1.1}),
    ("frequency_penalty", {"frequency_penalty": 2.1}),
    ("presence_penalty", {"presence_penalty": -2.1}),
    ("seed", {"seed": 1.5}),
    ("stop", {"stop": 5}),
    ("stop", {"stop": [5]}),
    ("logit_bias", {"logit_bias": [1]}),
    ("tools", {"tools": "search"}),
    ("tools.0", {"tools": ["search"]}),
    ("tool_choice", {"tool_choice": 5}),
    ("response_format", {"response_format": "json"}),
    ("reasoning_effort", {"reasoning_effort": "maximum"}),
    ("user", {"user": 5}),
    ("models", {"models": "lab-free"}),
    ("models", {"models": ["lab-free"] * 9}),
    ("route", {"route": "cheapest"}),
]


@pytest_asyncio.fixture(scope="module")
async def account(accounts: Accounts) -> Account:
    return await accounts.account()


@pytest_asyncio.fixture(autouse=True)
async def nothing_happens(accounts: Accounts, account: Account, upstream: FakeUpstream) -> AsyncIterator[None]:
    yield
    await accounts.assert_untouched(account)
    assert upstream.requests == []


@pytest.mark.parametrize("raw", NOT_AN_OBJECT.values(), ids=NOT_AN_OBJECT)
async def test_what_is_no_json_object_is_refused(client: httpx2.AsyncClient, account: Account, raw: bytes) -> None:
    response = await client.post(CHAT, content=raw, headers=account.headers)

    refused(response, 400, "invalid_request_error", type="invalid_request_error")


@pytest.mark.parametrize("depth", [101, 300, 600, 900, 960, 990, 1100])
async def test_nesting_is_refused_at_every_depth_that_could_exhaust_a_stack(
    client: httpx2.AsyncClient, account: Account, depth: int
) -> None:
    nested = "[" * (depth - 1) + "]" * (depth - 1)  # the body itself is the first level
    raw = json.dumps(HELLO)[:-1] + f', "x": {nested}}}'

    refused(await client.post(CHAT, content=raw, headers=account.headers), 400, "invalid_request_error")


@pytest.mark.parametrize(
    ("param", "fields"), WRONG_FIELDS, ids=[f"{name} {i}" for i, (name, _) in enumerate(WRONG_FIELDS)]
)
async def test_a_wrong_field_is_named(
    client: httpx2.AsyncClient, account: Account, param: str, fields: dict[str, Any]
) -> None:
    error = refused(await chat(client, account, **fields), 400, "invalid_request_error")

    assert error["param"].startswith(param)
    assert len(error["message"]) < 500


@pytest.mark.parametrize("missing", ["model", "messages"])
async def test_a_missing_field_is_named(client: httpx2.AsyncClient, account: Account, missing: str) -> None:
    body = {name: value for name, value in HELLO.items() if name != missing}

    refused(await client.post(CHAT, json=body, headers=account.headers), 400, "invalid_request_error", param=missing)


@pytest.mark.parametrize("model", ["no-such-model", "lab-chat:turbo", "LAB-CHAT", "nul\0", "é" * 100])
async def test_an_unknown_model_is_404(client: httpx2.AsyncClient, account: Account, model: str) -> None:
    refused(await chat(client, account, model=model), 404, "model_not_found", param="model")


async def test_an_unknown_fallback_model_is_404(client: httpx2.AsyncClient, account: Account) -> None:
    response = await chat(client, account, models=["no-such-model"], route="fallback")

    refused(response, 404, "model_not_found", param="model")


@pytest.mark.parametrize("model", ["saaras:v3", "gpt-realtime", "openrouter/auto"])
async def test_a_model_that_does_not_chat_is_refused(client: httpx2.AsyncClient, account: Account, model: str) -> None:
    refused(await chat(client, account, model=model), 400, "invalid_request_error", param="model")


async def test_an_image_for_a_blind_model_is_refused(client: httpx2.AsyncClient, account: Account) -> None:
    response = await chat(client, account, messages=[{"role": "user", "content": [IMAGE]}])

    refused(response, 400, "unsupported_image_input", type="invalid_request_error")


@pytest.mark.parametrize("mode", [Mode.LIVE, Mode.TEST])
@pytest.mark.parametrize(
    ("param", "fields"),
    [
        ("service_tier", {"service_tier": "priority"}),
        ("web_search_options", {"web_search_options": {}, "model": "sandbox"}),
        ("tools.0.type", {"tools": [{"type": "web_search"}]}),
        ("modalities", {"modalities": ["text", "audio"], "stream": True}),
    ],
)
async def test_a_field_that_may_be_priced_is_refused(
    client: httpx2.AsyncClient, accounts: Accounts, account: Account, mode: Mode, param: str, fields: dict[str, Any]
) -> None:
    key = await accounts.key(account.tenant, mode=mode)
    caller = replace(account, secret=key.secret)

    response = await chat(client, caller, **fields)

    refused(response, 400, "unsupported_field", type="invalid_request_error", param=param)


async def test_a_model_under_maintenance_is_503(client: httpx2.AsyncClient, account: Account) -> None:
    error = refused(await chat(client, account, model="kimi-k2.5-fast"), 503, "model_under_maintenance")

    assert "kimi-k2.5'" in error["message"]


async def test_a_body_above_4_mb_is_413(client: httpx2.AsyncClient, account: Account) -> None:
    raw = json.dumps(HELLO).encode().ljust(MAX_BODY_BYTES + 1)

    refused(await client.post(CHAT, content=raw, headers=account.headers), 413, "file_too_large")


async def test_a_body_of_unknown_length_above_4_mb_is_413(client: httpx2.AsyncClient, account: Account) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield json.dumps(HELLO).encode()
        for _ in range(MAX_BODY_BYTES // 65_536):
            yield b" " * 65_536

    response = await client.post(CHAT, content=pieces(), headers=account.headers)

    refused(response, 413, "file_too_large")
    assert "content-length" not in response.request.headers


async def test_many_keys_of_which_the_last_two_are_equal_are_refused_without_delay(
    client: httpx2.AsyncClient, account: Account
) -> None:
    raw = "{" + ",".join(f'"k{i}":0' for i in range(100_000)) + ',"k99999":1}'

    error = refused(await client.post(CHAT, content=raw, headers=account.headers), 400, "invalid_request_error")

    assert "k99999" in error["message"]


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/v1/no-such-thing", 404, "not_found"),
        ("POST", "/v1/chat", 404, "not_found"),
        ("GET", "/", 404, "not_found"),
        ("GET", CHAT, 405, "method_not_allowed"),
        ("DELETE", "/v1/models", 405, "method_not_allowed"),
    ],
)
async def test_a_route_that_does_not_exist_is_refused_in_the_envelope(
    client: httpx2.AsyncClient, account: Account, method: str, path: str, status: int, code: str
) -> None:
    refused(await client.request(method, path, headers=account.headers), status, code)


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer cm_live_nonsense"}])
async def test_a_caller_without_a_key_learns_that_before_what_is_wrong_with_the_body(
    client: httpx2.AsyncClient, headers: dict[str, str]
) -> None:
    refused(await client.post(CHAT, content=b"{", headers=headers), 401, "invalid_api_key")


async def test_messages_do_not_speak_of_our_parts(client: httpx2.AsyncClient, account: Account) -> None:
    for _, fields in WRONG_FIELDS:
        text = (await chat(client, account, **fields)).text
        assert not any(word in text for word in ("Traceback", "pydantic", "Exception"))
