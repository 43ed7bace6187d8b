"""A task that is cancelled while one of its last writes hangs: the write goes on, and entry and wallet agree.

Nothing is swept here. A call that is cancelled before its reply is there gives everything back; one that is cancelled
afterwards is charged.
"""

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from starlette.types import ASGIApp, Message

from callmissed.aws.attributes import to_item
from callmissed.idempotency.requests import keyed_request
from callmissed.platform.tables import IDEMPOTENCY, physical_name
from callmissed_ai.calls.container import create_container
from callmissed_ai.tokens import counting as tokens
from functions.inference.app import create_app
from local.aws.tables import StageTables
from tests.support.aws.dynamodb_proxy import Step, step_of
from tests.support.inference.behaviours import DONE, WORDS, completion, content_events, fails, reply, streams
from tests.support.inference.gateway import Account, Accounts, settings_for
from tests.support.inference.upstream import WAIT_SECONDS, FakeUpstream, Gate, until
from tests.support.inference.wire import CHAT, HELLO
from tests.support.interleaving import InterleavingDynamoDB

BUDGET = 10**10
COST = 11 * 50 + 7 * 150
KEY = {"Idempotency-Key": "order-4711"}


class HangingWrite:
    """The next write of `step` waits until it is let go, and only then leaves the process."""

    def __init__(self, dynamodb: InterleavingDynamoDB, step: Step) -> None:
        operation = "PutItem" if step is Step.ENTRY else "UpdateItem"
        self._reached, self._open = asyncio.Event(), asyncio.Event()
        dynamodb.before(operation, self._hang, matching=lambda request: step_of(operation, request) is step)

    async def reached(self) -> None:
        await asyncio.wait_for(self._reached.wait(), WAIT_SECONDS)

    def let_go(self) -> None:
        self._open.set()

    async def _hang(self) -> None:
        self._reached.set()
        await self._open.wait()


@dataclass
class Call:
    """One request that is served by a task of this test's loop. Its start waits while `head_waits`."""

    app: ASGIApp
    account: Account
    body: bytes
    headers: dict[str, str]
    head_waits: asyncio.Event | None = None
    sent: list[Message] = field(default_factory=list[Message])
    head_reached: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self._before = asyncio.all_tasks()
        self._unread = [self.body]
        self.task = asyncio.create_task(self._serve())

    async def cancel(self) -> None:
        """Cancel the task, which ends at once."""
        self.task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await self.task

    async def left_behind(self) -> None:
        """Wait for every task that the call began."""
        async with asyncio.timeout(WAIT_SECONDS):
            await asyncio.gather(*(asyncio.all_tasks() - self._before), return_exceptions=True)

    @property
    def status(self) -> int:
        return self.sent[0]["status"]

    @property
    def received(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.sent)

    @property
    def answer_headers(self) -> dict[str, str]:
        return {name.decode().lower(): value.decode() for name, value in self.sent[0]["headers"]}

    async def _serve(self) -> None:
        headers = self.account.headers | self.headers
        raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        scope = {"type": "http", "method": "POST", "path": CHAT, "query_string": b"", "headers": raw}
        await self.app(scope, self._receive, self._send)

    async def _receive(self) -> Message:
        if self._unread:
            return {"type": "http.request", "body": self._unread.pop(), "more_body": False}
        await asyncio.Event().wait()
        raise AssertionError("unreachable")

    async def _send(self, message: Message) -> None:
        if self.head_waits and not self.sent:
            self.head_reached.set()
            await self.head_waits.wait()
        self.sent.append(message)


@dataclass(frozen=True)
class Process:
    """The gateway in this test's loop, and the client that its writes go through."""

    app: ASGIApp
    dynamodb: InterleavingDynamoDB
    stage: str

    def call(
        self, account: Account, headers: dict[str, str] | None = None, *, head_waits: bool = False, **fields: Any
    ) -> Call:
        body = json.dumps({**HELLO, **fields}).encode()
        return Call(self.app, account, body, headers or {}, asyncio.Event() if head_waits else None)


@pytest_asyncio.fixture
async def process(store: StageTables, providers_file: Path) -> AsyncIterator[Process]:
    dynamodb = InterleavingDynamoDB(store.endpoint)
    gateway = create_container(settings_for(store, providers_file), dynamodb=dynamodb)
    yield Process(create_app(gateway), dynamodb, store.stage)
    await gateway.close()
    assert dynamodb.pending == 0


@pytest_asyncio.fixture
async def account(accounts: Accounts) -> Account:
    return await accounts.account(budget=BUDGET)


async def assert_charged(accounts: Accounts, account: Account, cost: int) -> None:
    """One entry of `cost`, and a wallet and a key that say the same, with nothing held."""
    assert (await accounts.entry(account.tenant))["amount"] == cost
    assert await accounts.assert_balanced(account) == cost
    assert (await accounts.key_item(account.secret))["kb"] == BUDGET - cost


async def assert_given_back(accounts: Accounts, account: Account) -> None:
    """Wallet and key are as they were before the call."""
    await accounts.assert_untouched(account)
    assert (await accounts.key_item(account.secret))["kb"] == BUDGET


async def cancelled_in(process: Process, write: HangingWrite, call: Call) -> None:
    """Cancel `call` in the midst of `write`, let the write go and wait for what the call leaves behind."""
    await write.reached()
    await call.cancel()
    write.let_go()
    await call.left_behind()


@pytest.mark.parametrize("streamed", [False, True], ids=["blocking", "streaming"])
@pytest.mark.parametrize("step", [Step.ENTRY, Step.APPLY, Step.GIVE_BACK])
async def test_settlement_ends_when_its_task_is_cancelled(
    process: Process, accounts: Accounts, account: Account, upstream: FakeUpstream, step: Step, streamed: bool
) -> None:
    write = HangingWrite(process.dynamodb, step)

    await cancelled_in(process, write, process.call(account, stream=streamed))

    await assert_charged(accounts, account, COST)


@pytest.mark.parametrize("keyed", [False, True], ids=["without a key", "with a key"])
@pytest.mark.parametrize("step", [Step.RELEASE, Step.GIVE_BACK])
async def test_failed_call_gives_everything_back_when_its_task_is_cancelled(
    process: Process, accounts: Accounts, account: Account, upstream: FakeUpstream, step: Step, keyed: bool
) -> None:
    upstream.will(fails(400))
    write = HangingWrite(process.dynamodb, step)

    await cancelled_in(process, write, process.call(account, KEY if keyed else None))

    await assert_given_back(accounts, account)
    again = process.call(account, KEY if keyed else None)
    await again.task
    assert again.status == 200


async def test_call_cancelled_twice_gives_everything_back(
    process: Process, accounts: Accounts, account: Account, upstream: FakeUpstream
) -> None:
    gate = Gate()
    upstream.will(reply(completion(), gate=gate))
    write = HangingWrite(process.dynamodb, Step.RELEASE)
    call = process.call(account, KEY)
    await gate.reached()
    call.task.cancel()

    await cancelled_in(process, write, call)

    await assert_given_back(accounts, account)


async def test_key_of_a_failed_call_is_released_when_its_task_is_cancelled(
    process: Process, accounts: Accounts, account: Account, upstream: FakeUpstream
) -> None:
    upstream.will(fails(400))
    write = HangingWrite(process.dynamodb, Step.FREE)

    await cancelled_in(process, write, process.call(account, KEY))

    again = process.call(account, KEY)
    await again.task
    assert (again.status, "idempotent-replayed" in again.answer_headers) == (200, False)
    await assert_charged(accounts, account, COST)


async def test_stored_answer_is_charged_when_its_task_is_cancelled(
    process: Process, accounts: Accounts, account: Account, upstream: FakeUpstream
) -> None:
    write = HangingWrite(process.dynamodb, Step.COMPLETE)

    await cancelled_in(process, write, process.call(account, KEY))

    await assert_charged(accounts, account, COST)
    again = process.call(account, KEY)
    await again.task
    assert (again.status, again.answer_headers["idempotent-replayed"]) == (200, "true")
    assert len(upstream.requests) == 1
    await assert_charged(accounts, account, COST)


async def test_answer_that_cannot_be_stored_is_not_charged_when_its_task_is_cancelled(
    process: Process, accounts: Accounts, account: Account, upstream: FakeUpstream
) -> None:
    write = HangingWrite(process.dynamodb, Step.COMPLETE)
    call = process.call(account, KEY)
    await write.reached()
    await take_over(process, account)

    await cancelled_in(process, write, call)

    await assert_given_back(accounts, account)


async def take_over(process: Process, account: Account) -> None:
    """Give the lock of the account's key to another run."""
    record = keyed_request(account.tenant, "live", KEY["Idempotency-Key"], "").record
    request = {
        "TableName": physical_name(process.stage, IDEMPOTENCY),
        "Key": to_item({"id": record}),
        "UpdateExpression": "SET o = :other",
        "ConditionExpression": "attribute_exists(o)",
        "ExpressionAttributeValues": to_item({":other": "another run"}),
    }
    await process.dynamodb.call("UpdateItem", request)


class SlowCount:
    """Counting tokens takes until it is let go."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.reached, self.open = threading.Event(), threading.Event()
        self._count = tokens.count_text
        monkeypatch.setattr(tokens, "count_text", self._slow)

    def _slow(self, text: str, limit: int | None = None) -> int:
        self.reached.set()
        assert self.open.wait(WAIT_SECONDS)
        return self._count(text, limit)


@pytest.mark.parametrize("cut", [False, True], ids=["ended", "cancelled in its midst"])
async def test_stream_is_settled_when_its_task_is_cancelled_at_its_end(
    process: Process,
    accounts: Accounts,
    account: Account,
    upstream: FakeUpstream,
    monkeypatch: pytest.MonkeyPatch,
    cut: bool,
) -> None:
    gate, count = Gate(), SlowCount(monkeypatch)
    upstream.will(streams([*content_events(), gate, DONE]))  # no usage, so the tokens are counted
    call = process.call(account, stream=True)
    await gate.reached()
    await until(lambda: WORDS[-1].encode() in call.received)
    if cut:
        call.task.cancel()
    else:
        gate.open()
    await until(count.reached.is_set)

    await call.cancel()
    count.open.set()
    await call.left_behind()

    entry = await accounts.entry(account.tenant)
    assert entry["usage"]["outcome"] == ("client_closed" if cut else "completed")
    assert entry["usage"]["estimated"]
    assert entry["amount"] > 0
    await assert_charged(accounts, account, entry["amount"])


async def test_stream_is_settled_when_its_task_is_cancelled_at_its_head(
    process: Process, accounts: Accounts, account: Account, upstream: FakeUpstream
) -> None:
    gate = Gate()
    upstream.will(streams([*content_events(), gate, DONE]))
    call = process.call(account, head_waits=True, stream=True)
    await asyncio.wait_for(call.head_reached.wait(), WAIT_SECONDS)

    await call.cancel()
    await call.left_behind()

    entry = await accounts.entry(account.tenant)
    assert entry["usage"]["outcome"] == "client_closed"
    await assert_charged(accounts, account, entry["amount"])
    await until(upstream.only.cut.is_set)
