"""Upstreams whose HTTP is odd: encodings, statuses, types and framing that don't fit what was asked for."""

import gzip
import json

import httpx2
import pytest

from callmissed_ai.dialects.output_bounds import OutputBounds
from callmissed_ai.services.conversations import replies
from tests.support.inference.behaviours import (
    DONE,
    Behaviour,
    completion,
    content_events,
    says,
    whole_stream,
    writes,
)
from tests.support.inference.gateway import Accounts
from tests.support.inference.upstream import FakeUpstream
from tests.support.inference.wire import chat, refused

STREAM = b"".join(whole_stream())
PASSED = b"".join(content_events()) + DONE
COST = 11 * 50 + 7 * 150
EVENTS = "text/event-stream"
GZIP = {"Content-Encoding": "gzip"}
REPLY = json.dumps(completion()).encode()
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
MORE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"


def chunked(*pieces: bytes) -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)


FAILING: dict[str, Behaviour] = {
    "204": says(b"", status=204),
    "206": says(STREAM, EVENTS, 206),
    "302": says(STREAM, EVENTS, 302, {"Location": "/elsewhere"}),
    "gzip that is none": says(STREAM, EVENTS, headers=GZIP),
    "gzip that is cut off": says(gzip.compress(STREAM)[:30], EVENTS, headers=GZIP),
    "gzip without its header": says(gzip.compress(STREAM), EVENTS),
    "a compression that nobody knows": says(b"\x00\x01\x02" + STREAM, EVENTS, headers={"Content-Encoding": "zstd"}),
    "a blocking reply": says(REPLY, "application/json"),
    "an HTML page": says(b"<!doctype html>\n\n<title>Log in</title>\n\n"),
    "a broken chunk": writes(HEAD + CHUNKED + b"zz\r\n" + STREAM),
    "no HTTP in the head": writes(b"HTTP/9.9 what\r\n\r\n" + STREAM),
    "a head without end": writes(HEAD + b"X-Long: " + b"x" * 100_000),
}


@pytest.mark.parametrize("behaviour", FAILING.values(), ids=FAILING)
async def test_stream_in_odd_http_is_tried_again(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, behaviour: Behaviour
) -> None:
    account = await accounts.account()
    upstream.will(behaviour)

    response = await chat(client, account, stream=True)

    assert response.content == PASSED
    assert len(upstream.requests) == 2
    assert await accounts.assert_balanced(account) == COST


@pytest.mark.parametrize("behaviour", FAILING.values(), ids=FAILING)
async def test_stream_in_odd_http_that_stays_is_503_and_free(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, behaviour: Behaviour
) -> None:
    account = await accounts.account()
    upstream.will(behaviour, behaviour)

    refused(await chat(client, account, stream=True), 503, "provider_error")

    await accounts.assert_untouched(account)


SERVED: dict[str, Behaviour] = {
    "gzip": says(gzip.compress(STREAM), EVENTS, headers=GZIP),
    "another type": says(STREAM, "application/json"),
    "no length and no chunks": says(STREAM, EVENTS, headers={"Connection": "close"}),
    "an interim head": writes(
        b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + HEAD + b"Connection: close\r\n" + CHUNKED,
        chunked(STREAM, b""),
    ),
    "an answer after the answer": writes(HEAD + b"Content-Length: %d\r\n\r\n" % len(STREAM) + STREAM + MORE),
    "events after the end": writes(HEAD + CHUNKED, chunked(STREAM + b": more\n\n") + b"99"),
}


@pytest.mark.parametrize("behaviour", SERVED.values(), ids=SERVED)
async def test_stream_in_unusual_http_is_served_and_the_next_call_too(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, behaviour: Behaviour
) -> None:
    account = await accounts.account()
    upstream.will(behaviour)

    assert (await chat(client, account, stream=True)).content == PASSED
    assert (await chat(client, account, stream=True)).content == PASSED

    assert len(upstream.requests) == 2
    assert await accounts.assert_balanced(account) == 2 * COST


@pytest.mark.parametrize("odd", ["an answer after the answer", "events after the end"])
async def test_connection_with_bytes_left_on_it_serves_nobody_else(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, odd: str
) -> None:
    account = await accounts.account()
    upstream.will(SERVED[odd])

    for _ in range(2):
        await chat(client, account, stream=True)

    first, second = upstream.requests
    assert first.peer != second.peer


BLOCKING: dict[str, tuple[Behaviour, int, str]] = {
    "a stream": (says(STREAM, EVENTS), 502, "upstream_error"),
    "gzip that is none": (says(REPLY, "application/json", headers=GZIP), 503, "provider_error"),
    "an error as finish reason": (
        says(json.dumps({"choices": [{"message": {"content": "x"}, "finish_reason": "error"}]}).encode()),
        502,
        "upstream_error",
    ),
}


@pytest.mark.parametrize("odd", BLOCKING)
async def test_blocking_reply_in_odd_http_costs_nothing(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, odd: str
) -> None:
    account = await accounts.account()
    behaviour, status, code = BLOCKING[odd]
    upstream.will(*[behaviour] * (1 if status == 502 else 2))

    refused(await chat(client, account), status, code)

    await accounts.assert_untouched(account)


async def test_blocking_reply_far_above_its_limit_is_502_and_counted(
    client: httpx2.AsyncClient,
    accounts: Accounts,
    upstream: FakeUpstream,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    narrow = OutputBounds(characters=5_000, body_bytes=1_500, step_bytes=1_000)
    monkeypatch.setattr(replies, "output_bounds", lambda _max_output: narrow)
    account = await accounts.account()
    upstream.will(says(json.dumps(completion("x" * 2_000)).encode(), "application/json"))

    refused(await chat(client, account, max_tokens=50), 502, "upstream_error")

    await accounts.assert_untouched(account)
    assert '"RunawayReply":[1.0]' in capsys.readouterr().out
