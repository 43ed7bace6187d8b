"""A streamed reply as an iterator: it settles at its end, when it is closed, and when the upstream breaks."""

import asyncio
from collections.abc import AsyncGenerator

import pytest

from callmissed.errors import ApiError
from callmissed_ai.answers.events import event_iterator
from callmissed_ai.calls import served
from callmissed_ai.calls.container import Container
from callmissed_ai.calls.payer import TenantPayer
from tests.support.faults import Fault
from tests.support.inference.behaviours import DONE, content_events, streams, whole_stream
from tests.support.inference.calls import run_chat
from tests.support.inference.gateway import Account, Accounts
from tests.support.inference.process import Process
from tests.support.inference.upstream import FakeUpstream, Gate, until

COST = 11 * 50 + 7 * 150


async def opened(container: Container, account: Account) -> AsyncGenerator[bytes]:
    events, _ = await run_chat(container, TenantPayer(account.tenant), event_iterator, stream=True)
    return events


async def test_iterator_passes_every_event_on_and_settles_at_its_end(
    container: Container, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account()
    upstream.will(streams(whole_stream()))

    passed = [events async for events in await opened(container, account)]

    assert b"".join(passed) == b"".join(content_events())
    assert (await accounts.entry(account.tenant))["usage"]["outcome"] == "completed"
    assert await accounts.assert_balanced(account) == COST


async def test_iterator_that_is_closed_early_cuts_the_upstream_and_settles(
    container: Container, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account()
    upstream.will(streams([content_events()[0], Gate(), DONE]))
    events = await opened(container, account)
    await anext(events)

    await events.aclose()

    await until(upstream.only.cut.is_set)
    entry = await accounts.entry(account.tenant)
    assert (entry["usage"]["outcome"], entry["usage"]["estimated"]) == ("client_closed", True)
    assert await accounts.assert_balanced(account) == entry["amount"] > 0


@pytest.mark.parametrize("breaks", [True, False], ids=["connection", "end without [DONE]"])
async def test_iterator_raises_after_the_events_of_a_stream_that_breaks(
    container: Container, accounts: Accounts, upstream: FakeUpstream, breaks: bool
) -> None:
    account = await accounts.account()
    upstream.will(streams(content_events()[:-1], breaks=breaks))
    passed = bytearray()

    with pytest.raises(ApiError) as broken:
        async for events in await opened(container, account):
            passed += events

    assert (broken.value.status, broken.value.code) == (503, "provider_error")
    assert passed == b"".join(content_events()[:-1])
    assert (await accounts.entry(account.tenant))["usage"]["outcome"] == "upstream_broke"
    assert await accounts.assert_balanced(account) > 0


async def test_iterator_ends_when_the_calls_time_is_over(
    container: Container, accounts: Accounts, upstream: FakeUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = await accounts.account()
    upstream.will(streams([content_events()[0], Gate(), DONE]))
    monkeypatch.setattr(served, "MAX_CALL_SECONDS", 0.5)
    events = await opened(container, account)

    with pytest.raises(ApiError, match="broke off"):
        async for _ in events:
            pass

    assert (await accounts.entry(account.tenant))["usage"]["outcome"] == "upstream_broke"
    await accounts.assert_balanced(account)


async def test_iterator_raises_when_the_call_cannot_be_settled(
    process: Process, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account()
    upstream.will(streams(whole_stream()))
    events = await opened(process.container, account)
    process.dynamodb.faults.extend([Fault.LOSE_REQUEST] * 10)

    with pytest.raises(ApiError) as failed:
        async for _ in events:
            pass

    assert (failed.value.status, failed.value.code) == (503, "service_unavailable")
    process.dynamodb.forget()
    await accounts.sweep()
    assert await accounts.assert_balanced(account) == 0


async def test_iterator_whose_task_is_cancelled_settles(
    container: Container, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account()
    upstream.will(streams([content_events()[0], Gate(), DONE]))
    events, begun = await opened(container, account), asyncio.Event()

    async def read() -> None:
        async for _ in events:
            begun.set()

    task = asyncio.create_task(read())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert (await accounts.entry(account.tenant))["usage"]["outcome"] == "client_closed"
    assert await accounts.assert_balanced(account) > 0
