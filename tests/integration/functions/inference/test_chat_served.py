"""Unusual requests that are served like any other, and what happens when something of ours breaks."""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import httpx2
import pytest

from callmissed.platform.routes import MAX_BODY_BYTES
from callmissed_ai.answers import whole
from callmissed_ai.calls import served
from functions.inference import serving
from tests.support.inference.behaviours import DONE, WORDS, completion, content_events, endless, hangs, reply, streams
from tests.support.inference.gateway import Account, Accounts
from tests.support.inference.upstream import Behaviour, FakeUpstream, Gate, until
from tests.support.inference.wire import CHAT, HELLO, chat, embed, events_of, refused

REPORTED = 11 * 50 + 7 * 150
BlockingCall = Callable[[httpx2.AsyncClient, Account, dict[str, str]], Awaitable[httpx2.Response]]
BLOCKING = pytest.mark.parametrize("call", [chat, embed])


class LogRecords(logging.Handler):
    """What the inference function logs, as messages."""

    def __init__(self) -> None:
        super().__init__()
        self.taken: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.taken.append(record.getMessage())


@pytest.fixture
def log() -> Iterator[list[str]]:
    notes, logger = LogRecords(), logging.getLogger("callmissed-inference")
    logger.addHandler(notes)
    yield notes.taken
    logger.removeHandler(notes)


@pytest.mark.parametrize(
    "fields",
    [
        {"messages": [{"role": "user", "content": "x"}] * 10_000},
        {"messages": [{"role": "user", "content": None}]},
        {"messages": [{"role": "developer", "content": []}, {"role": "user"}]},
        {"messages": [{"role": "user", "content": "\U0001f600 \u0000 \u2028 \ue000 العربية हिन्दी"}]},
        {"seed": 10**300, "top_k": -(10**20)},
        {"max_tokens": None, "n": None, "stop": None, "tools": None, "stream": None, "stream_options": None},
        {"x": [[[[[[[[[[1]]]]]]]]]], "y": {"": {"": {}}}},
        {"temperature": 0, "top_p": 1, "presence_penalty": 2},
    ],
    ids=lambda fields: next(iter(fields)),
)
async def test_odd_but_right(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, fields: dict[str, Any]
) -> None:
    account = await accounts.account()

    response = await chat(client, account, **fields)

    assert response.status_code == 200, response.text[:500]
    sent = upstream.only.body
    assert {name: sent[name] for name in fields if name != "max_tokens"} == {
        name: value for name, value in fields.items() if name != "max_tokens"
    }
    assert await accounts.assert_balanced(account) == REPORTED


async def test_a_whole_surrogate_pair_may_be_escaped(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account()
    raw = b'{"model": "lab-chat", "messages": [{"role": "user", "content": "\\ud83d\\ude00"}]}'

    assert (await client.post(CHAT, content=raw, headers=account.headers)).status_code == 200

    assert upstream.only.body["messages"][0]["content"] == "\U0001f600"


async def test_a_body_of_4_mb_is_served(client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream) -> None:
    account = await accounts.account()
    raw = json.dumps(HELLO).encode().ljust(MAX_BODY_BYTES)

    assert (await client.post(CHAT, content=raw, headers=account.headers)).status_code == 200

    assert len(upstream.only.raw) < 1000
    assert await accounts.assert_balanced(account) == REPORTED


async def test_a_routing_suffix_is_for_openrouter_only(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account()

    assert (await chat(client, account, model="lab-chat:nitro")).status_code == 200

    assert upstream.only.body["model"] == "upstream-lab-chat"


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_defect_of_ours_is_500_in_the_envelope_and_holds_nothing(
    client: httpx2.AsyncClient,
    accounts: Accounts,
    upstream: FakeUpstream,
    monkeypatch: pytest.MonkeyPatch,
    log: list[str],
    streamed: bool,
) -> None:
    async def defective(*_arguments: object, **_options: object) -> None:
        raise RuntimeError("a defect that nobody foresaw")

    monkeypatch.setattr(serving, "event_stream" if streamed else "whole", defective)
    account = await accounts.account(budget=10**9)

    error = refused(await chat(client, account, stream=streamed), 500, "internal_error", type="api_error")

    assert "foresaw" not in error["message"]
    await until(lambda: "unexpected failure" in log)  # which comes after the answer
    await accounts.assert_untouched(account)
    assert (await accounts.key_item(account.secret))["kb"] == 10**9


async def test_a_stream_that_takes_too_long_is_ended_and_settled(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = await accounts.account()
    monkeypatch.setattr(served, "MAX_CALL_SECONDS", 0.5)
    upstream.will(streams([*content_events()[:2], Gate(), DONE]))

    response = await chat(client, account, stream=True)

    *chunks, last = events_of(response.content)
    assert "".join(chunk["choices"][0]["delta"]["content"] for chunk in chunks) == "".join(WORDS[:2])
    assert last["error"]["code"] == "provider_error"
    await until(upstream.only.cut.is_set)
    assert (await accounts.entry(account.tenant))["usage"]["outcome"] == "upstream_broke"
    assert await accounts.assert_balanced(account) > 0


async def test_a_reply_that_takes_too_long_is_503_and_not_charged(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = await accounts.account(budget=10**9)
    monkeypatch.setattr(served, "MAX_BLOCKING_SECONDS", 0.5)
    upstream.will(streams([json.dumps(completion()).encode()[:50], Gate()]))

    refused(await chat(client, account), 503, "provider_error")

    await until(upstream.only.cut.is_set)
    await accounts.assert_untouched(account)
    assert (await accounts.key_item(account.secret))["kb"] == 10**9


@BLOCKING
@pytest.mark.parametrize("slow", [endless(b" "), hangs()], ids=["a body that dribbles", "no head"])
async def test_blocking_call_has_one_bound_and_releases_everything(
    client: httpx2.AsyncClient,
    accounts: Accounts,
    upstream: FakeUpstream,
    monkeypatch: pytest.MonkeyPatch,
    call: BlockingCall,
    slow: Behaviour,
) -> None:
    account = await accounts.account(budget=10**9)
    with monkeypatch.context() as short:
        short.setattr(served, "MAX_BLOCKING_SECONDS", 0.5)
        upstream.will(slow)
        refused(await call(client, account, {"Idempotency-Key": "slow"}), 503, "provider_error")
    await until(upstream.only.cut.is_set)
    await accounts.assert_untouched(account)
    assert (await accounts.key_item(account.secret))["kb"] == 10**9

    again = await call(client, account, {"Idempotency-Key": "slow"})

    assert (again.status_code, "idempotent-replayed" in again.headers) == (200, False)


async def test_head_and_body_share_the_bound(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    account, head = await accounts.account(), Gate()
    monkeypatch.setattr(served, "MAX_BLOCKING_SECONDS", 60.0)
    left: list[float] = []

    async def watched(answer: served.Served) -> bytes:
        left.append(answer.seconds_left)
        return await read(answer)

    read = whole._read
    monkeypatch.setattr(whole, "_read", watched)
    upstream.will(reply(completion(), gate=head))
    waiting = asyncio.create_task(chat(client, account))
    await head.reached()
    await asyncio.sleep(0.2)
    head.open()

    assert (await waiting).status_code == 200
    assert left[0] < 59.8, "the head's time is not given again to the body"


async def test_a_slow_reply_within_its_time_is_served(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account, gate = await accounts.account(), Gate()
    gate.open()
    upstream.will(reply(completion(), gate=gate))

    assert (await chat(client, account)).status_code == 200
    assert await accounts.assert_balanced(account) == REPORTED
