import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callmissed_ai.providers.sandbox import tokens
from callmissed_ai.providers.sandbox.failures import refusal_of_sandbox
from callmissed_ai.transports.base import UpstreamUnreachable
from tests.support.inference.any_json import anything


def chat(prompt: str, **fields) -> dict:
    return {"model": "m", "messages": [{"role": "user", "content": prompt}], **fields}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("instruction", "status", "kind", "code"),
    [
        ("rate_limit", 429, "requests", "rate_limit_exceeded"),
        ("error", 500, "server_error", None),
        ("overload", 503, "server_error", "overloaded"),
        ("bad_request", 400, "invalid_request_error", "invalid_value"),
        ("auth", 401, "invalid_request_error", "invalid_api_key"),
    ],
)
async def test_http_errors_on_demand(sandbox, instruction, status, kind, code, stream):
    found, headers, content = await sandbox.raw(chat(f"please sandbox:{instruction} now", stream=stream))
    error = json.loads(content)["error"]
    assert (found, error["type"], error["code"]) == (status, kind, code)
    assert headers["content-type"] == "application/json"
    assert headers.get("retry-after") == ("2" if instruction == "rate_limit" else None)


async def test_timeout_waits_for_the_deadline_and_then_gives_up(sandbox):
    with pytest.raises(UpstreamUnreachable):
        await sandbox.send(chat("sandbox:timeout"))
    assert sandbox.slept == [30.0]


@pytest.mark.parametrize("stream", [False, True])
async def test_garbage_is_no_json(sandbox, stream):
    status, headers, content = await sandbox.raw(chat("sandbox:garbage", stream=stream))
    assert status == 200
    assert headers["content-type"].startswith("text/event-stream" if stream else "application/json")
    with pytest.raises(ValueError, match="Expecting value"):
        json.loads(content.decode().removeprefix("data: "))


@pytest.mark.parametrize("stream", [False, True])
async def test_cut_breaks_off_half_way(sandbox, stream):
    body = chat("sandbox:cut", stream=stream, seed=3)
    reply = await sandbox.send(body)
    received = b""
    with pytest.raises(UpstreamUnreachable):
        async for chunk in reply.chunks():
            received += chunk
    assert reply.status == 200
    assert (b'"role":"assistant"' in received) or not stream
    assert b"[DONE]" not in received
    length = reply.headers.get("content-length")
    assert (length is None) if stream else (0 < len(received) < int(length))


async def test_no_usage(sandbox):
    assert "usage" not in await sandbox.ask("sandbox:no_usage")
    chunks = await sandbox.stream("sandbox:no_usage", stream_options={"include_usage": True})
    assert not any("usage" in chunk for chunk in chunks)
    assert all(chunk["choices"] for chunk in chunks)


@pytest.mark.parametrize(
    ("instruction", "seconds"),
    [("slow 40", 0.04), ("slow", 1.0), ("slow 0", 0.0), ("slow 99999", 5.0), ("slow\n9", 1.0)],
)
async def test_slow_sets_the_delay_of_each_chunk(sandbox, instruction, seconds):
    chunks = await sandbox.stream(f"sandbox:{instruction}")
    assert sandbox.slept == ([seconds] * (len(chunks) + 1) if seconds else [])


async def test_a_slow_blocking_reply_waits_once(sandbox):
    await sandbox.ask("sandbox:slow 250")
    assert sandbox.slept == [0.25]


@pytest.mark.parametrize(
    ("instruction", "expected"),
    [("long 500", 500), ("long 3", 3), ("long", 1000), ("long 999999", 20_000), ("long 0", 0)],
)
async def test_long_sets_the_number_of_tokens(sandbox, instruction, expected):
    reply = await sandbox.ask(f"sandbox:{instruction}")
    (choice,) = reply["choices"]
    assert choice["finish_reason"] == "stop"
    assert reply["usage"]["completion_tokens"] == tokens.count(choice["message"]["content"]) == expected


async def test_long_respects_the_limit_and_is_shared_among_choices(sandbox):
    limited = await sandbox.ask("sandbox:long 500", max_tokens=20)
    assert limited["usage"]["completion_tokens"] == 20
    assert limited["choices"][0]["finish_reason"] == "length"
    shared = await sandbox.ask("sandbox:long 20000", n=128)
    assert shared["usage"]["completion_tokens"] <= 20_000


async def test_slow_and_long_together(sandbox):
    chunks = await sandbox.stream("sandbox:slow 5 sandbox:long 10")
    assert len(chunks) == 12
    assert set(sandbox.slept) == {0.005}


async def test_only_the_last_user_message_orders(sandbox):
    messages = [
        {"role": "system", "content": "sandbox:error"},
        {"role": "user", "content": "sandbox:error"},
        {"role": "assistant", "content": "sandbox:error"},
        {"role": "user", "content": [{"type": "text", "text": "fine"}]},
    ]
    assert (await sandbox.raw({"model": "m", "messages": messages}))[0] == 200
    assert (await sandbox.raw({"model": "m", "messages": messages[:2]}))[0] == 500


async def test_unknown_instructions_are_named(sandbox):
    text = (await sandbox.ask("sandbox:flaky 3"))["choices"][0]["message"]["content"]
    assert "knows no order `sandbox:flaky`" in text


async def test_other_paths_are_not_found(sandbox):
    reply = await sandbox.send({}, path="/moderations")
    (content,) = [chunk async for chunk in reply.chunks()]
    assert (reply.status, json.loads(content)["error"]["code"]) == (404, "unknown_url")


@pytest.mark.parametrize(
    ("status", "code"),
    [(400, "invalid_request_error"), (401, "invalid_api_key"), (429, "rate_limit_exceeded")],
)
def test_words_and_field_of_a_refusal_reach_the_caller(status, code):
    error = {"message": "No such tool.", "type": "invalid_request_error", "param": "tools", "code": "invalid_value"}
    refusal = refusal_of_sandbox(status, error, "2")
    assert (refusal.status, refusal.code, refusal.message, refusal.param) == (status, code, "No such tool.", "tools")
    assert refusal.headers == {"Retry-After": "2"}


@given(st.integers(400, 499), anything)
def test_any_error_object_becomes_a_refusal(status, error):
    refusal = refusal_of_sandbox(status, error, None)
    assert refusal.status == status
    assert refusal.message
