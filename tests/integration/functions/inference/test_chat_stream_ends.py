"""Ends of streams: a reply that runs away, breaks off or ends in another way than most do."""

from typing import Any

import httpx2
import pytest

from callmissed_ai.dialects.openai_chat import stream
from callmissed_ai.dialects.openai_chat.usage import count_request
from callmissed_ai.tokens import counting as tokens
from tests.support.inference.behaviours import (
    DONE,
    SECRET_TEXT,
    WORDS,
    chunk,
    content_events,
    endless,
    event,
    streams,
    usage_event,
    whole_stream,
)
from tests.support.inference.gateway import Accounts
from tests.support.inference.upstream import FakeUpstream, Gate, until
from tests.support.inference.wire import HELLO, chat, events_of

ASKING: dict[str, Any] = {"stream": True, "stream_options": {"include_usage": True}}
REPORTED = 11 * 50 + 7 * 150


async def test_runaway_reply_is_stopped_counted_and_charged_its_hold_at_most(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, capsys: pytest.CaptureFixture[str]
) -> None:
    account = await accounts.account()
    upstream.will(endless(event(chunk({"content": "on and on " * 100}))))

    response = await chat(client, account, stream=True, max_tokens=50)

    assert len(response.content) < 500_000
    assert events_of(response.content)[-1]["error"]["code"] == "provider_error"
    await until(upstream.only.cut.is_set)
    entry = await accounts.entry(account.tenant)
    assert entry["usage"]["outcome"] == "runaway"
    assert entry["usage"]["lines"][1]["quantity"] == 50
    assert await accounts.assert_balanced(account) == entry["amount"] <= entry["held"][0]
    assert '"RunawayReply":[1.0]' in capsys.readouterr().out


async def test_reply_without_done_gets_it_from_us(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account()
    upstream.will(streams([*content_events(), usage_event()]))

    response = await chat(client, account, stream=True)

    assert response.content == b"".join(content_events()) + DONE
    assert (await accounts.entry(account.tenant))["usage"]["outcome"] == "completed"
    assert await accounts.assert_balanced(account) == REPORTED


BROKEN = {
    "cut": streams(content_events()[:2], breaks=True),
    "cut inside an event": streams([*content_events()[:2], content_events()[2][:30]], breaks=True),
    "no end": streams(content_events()[:2]),
    "an error without choices": streams([*content_events()[:2], event(chunk(None, error={"code": SECRET_TEXT}))]),
    "an error as finish reason": streams([*content_events()[:2], event(chunk({}, finish="error"))]),
    "not UTF-8": streams([*content_events()[:2], b'data: {"x": "\xff"}\n\n']),
    "no end inside an event": streams([*content_events()[:2], content_events()[2][:30]]),
    "an error": streams([*content_events()[:2], event({"error": {"message": SECRET_TEXT, "code": 500}}), DONE]),
    "an error in the same piece": streams([b"".join(content_events()[:2]) + event({"error": SECRET_TEXT})]),
    "an error that is the chunk": streams([*content_events()[:2], event({"object": "error", "message": SECRET_TEXT})]),
    "an error by its name": streams([*content_events()[:2], b"event: error\n" + event({"message": SECRET_TEXT})]),
    "an error in plain words": streams([*content_events()[:2], f"data: error {SECRET_TEXT}\n\n".encode()]),
    "deep nesting": streams([*content_events()[:2], b'data: {"error":' + b"[" * 100_000 + b"]" * 100_000 + b"}\n\n"]),
    "an error after the usage": streams([*content_events()[:2], usage_event(), event({"error": SECRET_TEXT})]),
}


@pytest.mark.parametrize("broken", BROKEN)
async def test_a_stream_that_breaks_ends_with_an_error_event_and_is_charged_as_far_as_it_came(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, broken: str
) -> None:
    account = await accounts.account(budget=10**9)
    upstream.will(BROKEN[broken])

    response = await chat(client, account, stream=True)

    assert SECRET_TEXT.encode() not in response.content
    assert response.content.startswith(b"".join(content_events()[:2]))
    *chunks, last = events_of(response.content)
    assert len(chunks) == 2
    assert set(last) == {"error"}
    assert last["error"]["code"] == "provider_error"
    assert last["error"]["request_id"] == response.headers["x-request-id"]
    entry = await accounts.entry(account.tenant)
    assert entry["usage"]["outcome"] == "upstream_broke"
    written = count_request(HELLO) * 50 + tokens.count_text("".join(WORDS[:2])) * 150
    expected = REPORTED if "usage" in broken else written
    assert await accounts.assert_balanced(account) == entry["amount"] == expected
    assert (await accounts.key_item(account.secret))["kb"] == 10**9 - expected


async def test_an_event_without_end_is_cut_off(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "_MAX_EVENT_BYTES", 100_000)
    account = await accounts.account()
    upstream.will(endless(b"x" * 5_000, after=[content_events()[0], b"data: "]))

    response = await chat(client, account, stream=True)

    assert [set(body) for body in events_of(response.content)[1:]] == [{"error"}]
    await until(upstream.only.cut.is_set)
    assert await accounts.assert_balanced(account) > 0


async def test_a_stream_that_begins_with_an_error_is_tried_again(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account()
    upstream.will(streams([event({"error": {"message": SECRET_TEXT}})]))

    response = await chat(client, account, stream=True)

    assert response.content.endswith(DONE)
    assert len(upstream.requests) == 2
    assert await accounts.assert_balanced(account) == REPORTED


@pytest.mark.parametrize("end", [b"data: [DONE]", b"data: [DONE]\n", b"data:[DONE]\r\n"])
async def test_an_end_without_its_blank_line_is_an_end(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, end: bytes
) -> None:
    account = await accounts.account()
    upstream.will(streams([*content_events(), usage_event(), end]))

    response = await chat(client, account, stream=True)

    assert response.content == b"".join(content_events()) + DONE
    assert (await accounts.entry(account.tenant))["usage"]["outcome"] == "completed"


async def test_an_upstream_that_stays_open_after_the_end_is_not_waited_for(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account()
    upstream.will(streams([*whole_stream(), Gate(), event(chunk({"content": "too late"}))]))

    response = await chat(client, account, stream=True)

    assert response.content == b"".join(content_events()) + DONE
    await until(upstream.only.cut.is_set)
    assert await accounts.assert_balanced(account) == REPORTED
