"""Responses over HTTP: what is refused, how streams break, and what is held for upstreams of the dialect."""

import json
from typing import Any

import httpx2
import pytest

from callmissed.keys.secret import Mode
from tests.support.inference.behaviours import SECRET_TEXT, content_events, event, fails, reply, streams
from tests.support.inference.gateway import Accounts
from tests.support.inference.messages import message, message_stream
from tests.support.inference.responses import response, response_event, response_stream
from tests.support.inference.upstream import Behaviour, FakeUpstream
from tests.support.inference.wire import chat, refused, respond

FAILED = response_event("response.failed", 6, response=response(status="failed", error={"message": SECRET_TEXT}))
BREAKS: dict[str, tuple[str, Behaviour]] = {
    "chat": ("lab-chat", streams(content_events()[:2], breaks=True)),
    "chat reports": ("lab-chat", streams([*content_events()[:2], event({"error": {"message": SECRET_TEXT}})])),
    "messages": ("claude-chat", streams(message_stream(message())[:4], breaks=True)),
    "responses": ("gpt-chat", streams(response_stream(response())[:6], breaks=True)),
    "responses ends": ("gpt-chat", streams(response_stream(response())[:6])),
    "responses reports": ("gpt-chat", streams([*response_stream(response())[:6], FAILED])),
}


def events_of(body: bytes) -> list[dict[str, Any]]:
    return [json.loads(line[6:]) for line in body.decode().splitlines() if line.startswith("data: ")]


@pytest.mark.parametrize("broken", BREAKS)
async def test_14_break_ends_with_a_failed_response_and_is_billed_by_our_count(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, broken: str
) -> None:
    account = await accounts.account()
    model, behaviour = BREAKS[broken]
    upstream.will(behaviour)

    answer = await respond(client, account, model=model, stream=True)

    events = events_of(answer.content)
    assert [each["sequence_number"] for each in events] == list(range(len(events)))
    assert {each["response"]["id"] for each in events if "response" in each} == {events[0]["response"]["id"]}
    assert [each["type"] for each in events if "response" in each] == [
        *("response.created", "response.in_progress", "response.failed")
    ]
    assert SECRET_TEXT not in answer.text
    entry = await accounts.entry(account.tenant)
    assert entry["usage"]["outcome"] == "upstream_broke"
    assert 0 < await accounts.assert_balanced(account) <= entry["held"][0]


@pytest.mark.parametrize("model", ["lab-chat", "gpt-chat"])
@pytest.mark.parametrize("kind", ["web_search", "mcp", "code_interpreter", "image_generation", "custom"])
async def test_hosted_tool_reaches_no_upstream(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, model: str, kind: str
) -> None:
    account = await accounts.account()

    answer = await respond(client, account, model=model, tools=[{"type": kind}])

    refused(answer, 400, "unsupported_field", param="tools.0.type")
    assert upstream.requests == []
    await accounts.assert_untouched(account)


async def test_limit_is_raised_to_what_the_upstream_accepts_and_held_for(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account()
    used = {"input_tokens": 11, "output_tokens": 16}
    upstream.will(reply(response(usage=used)))

    assert (await chat(client, account, model="gpt-chat", max_tokens=1)).status_code == 200

    assert upstream.only.body["max_output_tokens"] == 16
    assert await accounts.assert_balanced(account) == 11 * 50 + 16 * 150


async def test_refusal_of_the_upstream_has_our_words(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account()
    upstream.will(fails(400, "context_length_exceeded"))

    refused(await respond(client, account, model="gpt-chat"), 400, "context_length_exceeded", param="input")
    await accounts.assert_untouched(account)


async def test_retry_with_its_key_gets_the_same_response(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account()
    upstream.will(reply(response()))

    first, second = [await respond(client, account, {"Idempotency-Key": "once"}, model="gpt-chat") for _ in "ab"]

    assert first.content == second.content
    assert second.headers["idempotent-replayed"] == "true"
    assert len(upstream.requests) == 1


@pytest.mark.parametrize(
    ("words", "status", "code"),
    [("rate_limit", 429, "rate_limit_exceeded"), ("bad_request", 400, "invalid_request_error")],
)
async def test_words_for_failures_work_with_test_keys(
    client: httpx2.AsyncClient, accounts: Accounts, words: str, status: int, code: str
) -> None:
    account = await accounts.account(mode=Mode.TEST)

    refused(await respond(client, account, input=f"sandbox:{words}"), status, code)


async def test_cut_of_the_sandbox_is_a_failed_response(client: httpx2.AsyncClient, accounts: Accounts) -> None:
    account = await accounts.account(mode=Mode.TEST)

    answer = await respond(client, account, input="sandbox:cut", stream=True)

    assert events_of(answer.content)[-1]["type"] == "response.failed"
