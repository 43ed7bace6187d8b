"""What a served call costs: what the provider reports, zeros too, else what we count; nonsense is not believed."""

from typing import Any

import httpx2
import pytest

from callmissed.ledger.entries import entry_of
from callmissed.money import CREDIT
from callmissed_ai.dialects.openai_chat.usage import count_request
from callmissed_ai.tokens import counting as tokens
from tests.support.inference.behaviours import (
    DONE,
    USAGE,
    WORDS,
    chunk,
    completion,
    content_events,
    event,
    reply,
    streams,
    usage_event,
    whole_stream,
)
from tests.support.inference.gateway import Accounts
from tests.support.inference.upstream import Behaviour, FakeUpstream
from tests.support.inference.wire import HELLO, chat

SHAPES = pytest.mark.parametrize("streamed", [False, True], ids=["blocking", "streaming"])


def answers(usage: Any, *, streamed: bool) -> Behaviour:
    """An answer with this usage, whichever its shape."""
    return streams(whole_stream(usage)) if streamed else reply(completion() | {"usage": usage})


def counted(text: str) -> int:
    """Micro-credits of HELLO and a reply of `text` by our tokenizer."""
    return count_request(HELLO) * 50 + tokens.count_text(text) * 150


@SHAPES
async def test_reported_tokens_are_charged(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, streamed: bool
) -> None:
    account = await accounts.account()
    upstream.will(answers(USAGE, streamed=streamed))

    response = await chat(client, account, stream=streamed)

    entry = await accounts.entry(account.tenant)
    assert entry["amount"] == await accounts.assert_balanced(account) == 11 * 50 + 7 * 150
    assert entry["usage"]["lines"] == [
        {"unit": "input_tokens", "quantity": 11, "price": 50 * 1_000_000, "per": 1_000_000},
        {"unit": "output_tokens", "quantity": 7, "price": 150 * 1_000_000, "per": 1_000_000},
        {"unit": "cached_input_tokens", "quantity": 0, "price": 10 * 1_000_000, "per": 1_000_000},
    ]
    assert "estimated" not in entry["usage"]
    assert entry["usage"]["outcome"] == "completed"
    assert response.headers["x-generation-id"] == f"gen_{entry['entry']}"
    assert response.headers["x-request-id"] == f"req_{entry['entry']}"


@SHAPES
async def test_cached_tokens_cost_the_cached_price(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, streamed: bool
) -> None:
    account = await accounts.account()
    usage = {"prompt_tokens": 1000, "completion_tokens": 0, "prompt_tokens_details": {"cached_tokens": 900}}
    upstream.will(answers(usage, streamed=streamed))

    await chat(client, account, stream=streamed)

    assert await accounts.assert_balanced(account) == 100 * 50 + 900 * 10


@SHAPES
async def test_tokens_written_to_a_cache_cost_the_price_of_its_writes(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, streamed: bool
) -> None:
    account = await accounts.account()
    details = {"cached_tokens": 300, "cache_write_tokens": 600}
    usage = {"prompt_tokens": 1000, "completion_tokens": 0, "prompt_tokens_details": details}
    upstream.will(answers(usage, streamed=streamed))

    await chat(client, account, model="lab-cached", stream=streamed)

    entry = await accounts.entry(account.tenant)
    assert await accounts.assert_balanced(account) == 100 * 50 + 300 * 10 + 600 * 100
    line = {"unit": "cache_write_tokens", "quantity": 600, "price": 100 * 1_000_000, "per": 1_000_000}
    assert entry["usage"]["lines"][-1] == line
    assert entry["usage"]["price_version"].endswith("-c10000000-w100000000")


@SHAPES
@pytest.mark.parametrize("cached", [5000, -3, "many", None, {"x": 1}, 1.5])
async def test_cached_tokens_that_make_no_sense_are_bounded(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, cached: Any, streamed: bool
) -> None:
    account = await accounts.account()
    usage = {"prompt_tokens": 100, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": cached}}
    upstream.will(answers(usage, streamed=streamed))

    await chat(client, account, stream=streamed)

    expected = 100 * 10 if cached == 5000 else 100 * 50
    assert await accounts.assert_balanced(account) == expected + 150


@SHAPES
async def test_an_explicit_zero_stays_zero(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, streamed: bool
) -> None:
    account = await accounts.account()
    upstream.will(answers({"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}, streamed=streamed))

    assert (await chat(client, account, stream=streamed)).status_code == 200

    entry = await accounts.entry(account.tenant)
    assert (entry["amount"], entry["usage"].get("estimated")) == (0, None)
    assert await accounts.assert_balanced(account) == 0


@SHAPES
@pytest.mark.parametrize(
    "usage",
    [
        None,
        {},
        [],
        "many",
        {"prompt_tokens": 5},
        {"prompt_tokens": "5", "completion_tokens": "6"},
        {"prompt_tokens": -5, "completion_tokens": 6},
        {"prompt_tokens": True, "completion_tokens": True},
        {"prompt_tokens": 10**40, "completion_tokens": 1},
    ],
    ids=str,
)
async def test_where_nothing_sensible_is_reported_we_count_and_say_so(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, usage: Any, streamed: bool
) -> None:
    account = await accounts.account()
    upstream.will(answers(usage, streamed=streamed))

    assert (await chat(client, account, stream=streamed)).status_code == 200

    assert (await accounts.entry(account.tenant))["usage"]["estimated"] is True
    assert await accounts.assert_balanced(account) == counted("".join(WORDS) if streamed else "Hello there")


@SHAPES
async def test_usage_beyond_the_hold_charges_the_hold_and_records_the_rest(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, streamed: bool
) -> None:
    account = await accounts.account()
    upstream.will(answers({"prompt_tokens": 10**9, "completion_tokens": 10**9}, streamed=streamed))

    assert (await chat(client, account, stream=streamed)).status_code == 200

    entry = await accounts.entry(account.tenant)
    assert entry["amount"] == entry["held"][0]
    assert entry["amount"] + entry["shortfall"] == 10**9 * (50 + 150)
    assert await accounts.assert_balanced(account) == entry["amount"]


@SHAPES
@pytest.mark.parametrize("credits", [1000, 1], ids=["the estimate is held", "a shorter reply is held"])
async def test_usage_beyond_the_hold_takes_no_more_than_the_hold_from_the_keys_budget(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, credits: int, streamed: bool
) -> None:
    account = await accounts.account(credits=credits, budget=10 * CREDIT)
    upstream.will(answers({"prompt_tokens": 10**9, "completion_tokens": 10**9}, streamed=streamed))

    assert (await chat(client, account, stream=streamed)).status_code == 200

    entry, key = await accounts.entry(account.tenant), await accounts.key_item(account.secret)
    assert entry["amount"] == entry["held"][0] <= account.before["av"]
    assert entry["shortfall"] == 10**9 * (50 + 150) - entry["amount"]
    assert key["kb"] == 10 * CREDIT - entry["amount"]
    assert await accounts.assert_balanced(account) == entry["amount"]
    assert (await accounts.wallet(account.tenant))["av"] >= 0


@pytest.mark.parametrize(
    "message",
    [
        {"content": None, "tool_calls": [{"id": "c", "function": {"name": "look_up", "arguments": '{"city":"Pune"}'}}]},
        {"content": "text", "reasoning_content": "thought at length"},
        {"content": None, "refusal": "I can't help with that"},
        {"content": [{"type": "text", "text": "parts"}]},
        {"content": "half a pair: \ud83d"},
        {"content": "x", "tool_calls": "nonsense"},
        {"content": "x", "tool_calls": [None, 5, {"function": "f"}]},
        {"content": {"an": "object"}},
    ],
)
async def test_everything_that_was_written_is_counted_and_odd_messages_do_no_harm(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, message: dict[str, Any]
) -> None:
    account = await accounts.account()
    upstream.will(reply(completion(usage=None, **message)))

    assert (await chat(client, account)).status_code == 200

    entry = await accounts.entry(account.tenant)
    assert entry["usage"]["estimated"] is True
    usage = entry_of(entry).usage
    assert usage is not None
    assert usage.quantities["output_tokens"] > 0
    assert await accounts.assert_balanced(account) > 0


@pytest.mark.parametrize("choice", [{}, {"message": None}, {"message": "text"}, {"index": 0, "delta": []}])
async def test_a_choice_without_a_message_counts_nothing_written(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, choice: dict[str, Any]
) -> None:
    account = await accounts.account()
    upstream.will(reply({"choices": [choice]}))

    assert (await chat(client, account)).status_code == 200

    assert await accounts.assert_balanced(account) == counted("")


@pytest.mark.parametrize(
    "events",
    [
        [*content_events()[:-1], event(chunk({}, finish="stop", usage=USAGE)), DONE],
        [event(chunk({"content": "Hi"}, usage=None)), event(chunk({}, finish="stop", usage=None)), usage_event(), DONE],
        [event(chunk({"content": "Hi"}, usage={"prompt_tokens": 11, "completion_tokens": 1})), usage_event(), DONE],
        [*content_events(), event({"usage": USAGE}), DONE],
        [*content_events(), b'data:{"choices":[],\ndata:"usage":{"prompt_tokens":11,"completion_tokens":7}}\n\n', DONE],
        [b": a comment\n\n", *content_events(), b"event: message\nid: 7\n" + usage_event(), DONE],
        [piece.replace(b"\n", b"\r\n") for piece in whole_stream()],
        [event({**chunk(None, usage=USAGE), "choices": None}), DONE],
    ],
    ids=[
        "in the last chunk",
        "null before",
        "cumulative",
        "no choices",
        "two lines",
        "comments",
        "CRLF",
        "null choices",
    ],
)
async def test_usage_is_found_wherever_a_stream_has_it(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, events: list[bytes]
) -> None:
    account = await accounts.account()
    upstream.will(streams(events))

    response = await chat(client, account, stream=True)

    assert response.content.endswith(DONE)
    assert await accounts.assert_balanced(account) == 11 * 50 + 7 * 150


async def test_a_reply_passes_unchanged(client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream) -> None:
    account = await accounts.account()
    text = '{ "choices":[ {"message":{"content":"\\u00e9 \\ud83d\\ude00"}} ],\n "x_extra":1.50, '
    text += '"usage":{ "prompt_tokens":1, "completion_tokens":2 }}'
    upstream.will(reply(text))

    response = await chat(client, account)

    assert response.content == text.encode()
    assert response.headers["content-type"] == "application/json"
