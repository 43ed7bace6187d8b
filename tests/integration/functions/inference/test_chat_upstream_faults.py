"""An upstream that refuses, fails or babbles: translated, retried before the first byte, and never charged for."""

import json
import logging
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from callmissed_ai.routing import attempt as upstreams
from tests.support.inference.behaviours import (
    SECRET_TEXT,
    Behaviour,
    breaks_mid_body,
    completion,
    content_events,
    fails,
    garbles_head,
    hangs,
    reply,
    resets,
    says,
    streams,
)
from tests.support.inference.gateway import Accounts, ServedGateway
from tests.support.inference.upstream import FakeUpstream, until
from tests.support.inference.wire import chat, events_of, refused

STREAMED = pytest.mark.parametrize("streamed", [False, True], ids=["blocking", "streaming"])
CLAUDE = ("claude-chat", "claude-sdk-chat")
"""Models of the messages dialect, one for each transport."""

DEEP = "[" * 100_000 + "]" * 100_000


class LogRecords(logging.Handler):
    """What the inference function logs, as dictionaries."""

    def __init__(self) -> None:
        super().__init__()
        self.taken: list[dict[str, Any]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.taken.append(vars(record))


@pytest.fixture
def operator_log() -> Iterator[list[dict[str, Any]]]:
    notes, logger = LogRecords(), logging.getLogger("callmissed-inference")
    logger.addHandler(notes)
    yield notes.taken
    logger.removeHandler(notes)


@STREAMED
@pytest.mark.parametrize("status", [400, 413, 415, 422])
async def test_what_the_caller_must_mend_is_a_400_and_not_tried_again(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, status: int, streamed: bool
) -> None:
    account = await accounts.account()
    upstream.will(fails(status, param="response_format.json_schema"))

    response = await chat(client, account, stream=streamed)

    refused(response, 400, "invalid_request_error", param="response_format.json_schema")
    assert len(upstream.requests) == 1
    await accounts.assert_untouched(account)


@pytest.mark.parametrize("param", [SECRET_TEXT + " and a sentence", 5, {"a": 1}, "x" * 65, "<b>", None])
async def test_an_upstreams_param_that_is_no_field_name_stays_with_us(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, param: Any
) -> None:
    account = await accounts.account()
    upstream.will(fails(400, param=param))

    error = refused(await chat(client, account), 400, "invalid_request_error")

    assert error["param"] is None


async def test_a_prompt_longer_than_the_window_is_named(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account()
    upstream.will(fails(400, code="context_length_exceeded", param="messages"))

    refused(await chat(client, account), 400, "context_length_exceeded", param="messages")
    await accounts.assert_untouched(account)


@pytest.mark.parametrize(
    "behaviour",
    [
        says(b"<html>Bad request</html>", status=400),
        says(b"", status=400),
        reply([1, 2], 400),
        reply({"error": "a plain text"}, 400),
        reply({"detail": SECRET_TEXT}, 422),
        reply(DEEP, 400),
    ],
    ids=["HTML", "nothing", "a list", "a text", "another envelope", "deep nesting"],
)
async def test_a_refusal_in_no_known_envelope_is_still_a_400(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, behaviour: Behaviour
) -> None:
    account = await accounts.account()
    upstream.will(behaviour)

    refused(await chat(client, account), 400, "invalid_request_error")
    await accounts.assert_untouched(account)


@STREAMED
@pytest.mark.parametrize(
    "behaviour",
    [fails(500), fails(502), fails(503), fails(429), fails(408), fails(401), fails(403), resets(), garbles_head()],
    ids=["500", "502", "503", "429", "408", "401", "403", "reset", "no HTTP"],
)
async def test_a_failing_upstream_is_tried_twice_then_503(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, behaviour: Behaviour, streamed: bool
) -> None:
    account = await accounts.account()
    upstream.will(behaviour, behaviour)

    response = await chat(client, account, stream=streamed)

    refused(response, 503, "provider_error", type="api_error")
    assert response.headers["retry-after"] == "5"
    first, second = upstream.requests
    assert first.raw == second.raw
    await accounts.assert_untouched(account)


@STREAMED
@pytest.mark.parametrize(
    "behaviour",
    [fails(500), fails(429), resets(), garbles_head(), says(b"")],
    ids=["500", "429", "reset", "no HTTP", "empty body"],
)
async def test_a_second_try_that_succeeds_is_charged_once(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, behaviour: Behaviour, streamed: bool
) -> None:
    account = await accounts.account()
    upstream.will(behaviour)

    assert (await chat(client, account, stream=streamed)).status_code == 200

    assert len(upstream.requests) == 2
    assert await accounts.assert_balanced(account) == 11 * 50 + 7 * 150


async def test_waits_between_tries_are_short(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, gateway: ServedGateway
) -> None:
    account = await accounts.account()
    gateway.sleeps.taken.clear()
    upstream.will(*[fails(500)] * 6)

    refused(await chat(client, account, models=["second-chat", "lab-free"]), 503, "provider_error")

    assert len(gateway.sleeps.taken) == 5
    assert all(0 < seconds <= 0.5 for seconds in gateway.sleeps.taken)


@STREAMED
async def test_an_upstream_that_hangs_is_cut_off_and_tried_again(
    client: httpx2.AsyncClient,
    accounts: Accounts,
    upstream: FakeUpstream,
    monkeypatch: pytest.MonkeyPatch,
    streamed: bool,
) -> None:
    monkeypatch.setattr(upstreams, "_HEAD_SECONDS", 0.1)
    account = await accounts.account()
    upstream.will(hangs(), hangs())

    refused(await chat(client, account, stream=streamed), 503, "provider_error")

    assert len(upstream.requests) == 2
    await until(lambda: all(received.cut.is_set() for received in upstream.requests))
    await accounts.assert_untouched(account)


async def test_an_unreachable_upstream_is_503(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account()

    refused(await chat(client, account, model="dead-chat"), 503, "provider_error")

    await accounts.assert_untouched(account)
    assert upstream.requests == []


async def test_a_provider_without_its_key_is_503_and_the_operator_learns_why(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, operator_log: list[dict[str, Any]]
) -> None:
    account = await accounts.account()

    response = await chat(client, account, model="keyless-chat")

    error = refused(response, 503, "provider_error", param="model")
    assert "The model 'keyless-chat' is not available. No provider of the model is configured." in error["message"]
    assert response.headers["x-should-retry"] == "false"
    assert "LAB_KEY_THAT_NOBODY_SET" not in str(error)
    assert "keyless" not in str(error).replace("keyless-chat", "")
    assert any(note.get("needs") == ["LAB_KEY_THAT_NOBODY_SET"] for note in operator_log)
    await accounts.assert_untouched(account)
    assert upstream.requests == []


GARBAGE = {
    "HTML": says(b"<!doctype html><p>It works!"),
    "half an object": says(b'{"choices": [', "application/json"),
    "an array": reply([completion()]),
    "null": reply(None),
    "no choices": reply({"id": "x", "usage": {"prompt_tokens": 1, "completion_tokens": 1}}),
    "choices that are none": reply({"choices": "x"}),
    "choices of text": reply({"choices": ["x"]}),
    "choices of numbers": reply({"choices": [1, None]}),
    "an empty list of choices": reply(completion() | {"choices": []}),
    "NaN beside what is checked": reply(completion() | {"more": float("nan")}),
    "Infinity deep inside": reply(completion() | {"more": [{"deep": float("-inf")}]}),
    "nesting that some parsers take": reply(completion() | {"more": json.loads("[" * 400 + "]" * 400)}),
    "UTF-16": says(json.dumps(completion()).encode("utf-16"), "application/json"),
    "an error with status 200": reply({"error": {"message": SECRET_TEXT, "code": 500}}),
    "an error beside choices": reply({"error": {"message": SECRET_TEXT}, "choices": []}),
    "deep nesting": reply('{"choices": ' + DEEP + "}"),
    "an integer of 5,000 digits": reply('{"choices": [], "usage": ' + "9" * 5000 + "}"),
    "not UTF-8": says(b'{"choices": [], "id": "\xff"}', "application/json"),
    "binary": says(bytes(range(256)) * 10, "application/octet-stream"),
}


@pytest.mark.parametrize("behaviour", GARBAGE.values(), ids=GARBAGE)
async def test_a_garbage_reply_is_502_and_not_charged(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, behaviour: Behaviour
) -> None:
    account = await accounts.account(budget=10**9)
    upstream.will(behaviour)

    refused(await chat(client, account), 502, "upstream_error", type="api_error")

    await accounts.assert_untouched(account)
    assert (await accounts.key_item(account.secret))["kb"] == 10**9


@pytest.mark.parametrize(
    "behaviour",
    [
        says(b"<!doctype html><p>It works!"),
        reply(completion()),
        says(b"\xff\xfe\x00", "text/event-stream"),
        says(b"data: <html>Bad gateway</html>\n\n", "text/event-stream"),
        says(b": comment\n\ndata: [1]\n\n", "text/event-stream"),
    ],
    ids=["HTML", "a blocking reply", "binary", "HTML in an event", "a list in an event"],
)
async def test_what_is_no_event_stream_is_tried_twice_then_503(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, behaviour: Behaviour
) -> None:
    account = await accounts.account()
    upstream.will(behaviour, behaviour)

    refused(await chat(client, account, stream=True), 503, "provider_error")

    assert len(upstream.requests) == 2
    await accounts.assert_untouched(account)


async def test_a_reply_that_breaks_off_is_503_and_not_charged(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account()
    upstream.will(breaks_mid_body())

    refused(await chat(client, account), 503, "provider_error")

    await accounts.assert_untouched(account)


@STREAMED
async def test_a_redirect_is_not_followed(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, streamed: bool
) -> None:
    account = await accounts.account()
    elsewhere = reply({}, 307, {"Location": f"http://127.0.0.1:{upstream.port}/elsewhere"})
    upstream.will(elsewhere, elsewhere)

    refused(await chat(client, account, stream=streamed), 503, "provider_error")

    assert {received.path for received in upstream.requests} == {"/lab/v1/chat/completions"}
    await accounts.assert_untouched(account)


async def test_an_event_that_is_not_json_never_reaches_the_caller(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    """The SDKs would fail on it with an exception that is none of theirs."""
    account = await accounts.account()
    upstream.will(streams([*content_events()[:2], b"data: <html>Bad gateway</html>\n\n", *content_events()[2:]]))

    response = await chat(client, account, stream=True)

    *passed, last = events_of(response.content)
    assert len(passed) == 2
    assert last["error"]["code"] == "provider_error"
    assert (await accounts.entry(account.tenant))["usage"]["outcome"] == "upstream_broke"
