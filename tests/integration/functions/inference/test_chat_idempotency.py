"""Chat calls with an Idempotency-Key: run once, charged once, answered as often as they are sent."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest
import pytest_asyncio

from callmissed.aws.dynamodb import DynamoDB
from callmissed.clock import system_clock
from callmissed.idempotency.store import IdempotencyStore
from callmissed.keys.secret import Mode
from callmissed_ai.calls.idempotency import LOCK_SECONDS
from functions.inference.app import create_app
from local.aws.tables import StageTables
from tests.integration.functions.inference.test_chat_hangups import Caller, closes
from tests.support.aws.dynamodb_proxy import DynamoProxy, Fault, Step
from tests.support.idempotency import ManualClock, MemoryAnswers
from tests.support.inference.behaviours import completion, fails, reply
from tests.support.inference.gateway import REGION, Account, Accounts, ServedGateway, gateway_at_work, settings_for
from tests.support.inference.upstream import FakeUpstream, Gate, eventually
from tests.support.inference.wire import CHAT, HELLO, chat, refused
from tests.support.threads import uvicorn_serving

KEY = {"Idempotency-Key": "order-4711"}
COST = 11 * 50 + 7 * 150


@pytest.fixture(scope="module")
def stored_answers() -> MemoryAnswers:
    return MemoryAnswers()


@pytest.fixture(scope="module")
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture(scope="module")
def shelved(
    store: StageTables, providers_file: Path, stored_answers: MemoryAnswers, clock: ManualClock
) -> Iterator[str]:
    """A gateway that keeps long answers in memory and reads the time from `clock`."""
    dynamodb = DynamoDB(REGION, store.endpoint, timeout_seconds=20)
    with gateway_at_work(settings_for(store, providers_file), clock=clock, dynamodb=dynamodb) as gateway:
        records = IdempotencyStore(gateway.container.database, stored_answers)
        with uvicorn_serving(create_app(replace(gateway.container, idempotency=records))) as url:
            yield url


@pytest_asyncio.fixture
async def shelved_client(shelved: str, clock: ManualClock) -> AsyncIterator[httpx2.AsyncClient]:
    clock.now = max(clock.now, system_clock())
    async with httpx2.AsyncClient(base_url=shelved, timeout=30, trust_env=False) as client:
        yield client


async def test_a_replay_has_the_same_bytes_and_costs_nothing(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account(budget=10**9)

    first, *replays = [await chat(client, account, KEY) for _ in range(3)]

    for again in replays:
        assert (again.status_code, again.content) == (200, first.content)
        assert again.headers["content-type"] == first.headers["content-type"] == "application/json"
        assert again.headers["idempotent-replayed"] == "true"
        assert again.headers["x-generation-id"] == first.headers["x-generation-id"]
    assert "idempotent-replayed" not in first.headers
    assert len(upstream.requests) == 1
    assert await accounts.assert_balanced(account) == COST
    assert (await accounts.key_item(account.secret))["kb"] == 10**9 - COST


async def test_another_body_is_a_conflict_and_costs_nothing(client: httpx2.AsyncClient, accounts: Accounts) -> None:
    account = await accounts.account(budget=10**9)
    await chat(client, account, KEY)

    refused(await chat(client, account, KEY, max_tokens=5), 409, "idempotency_conflict", type="conflict_error")

    assert await accounts.assert_balanced(account) == COST
    assert (await accounts.key_item(account.secret))["kb"] == 10**9 - COST


async def test_while_the_upstream_hangs_the_same_call_waits(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account, gate = await accounts.account(), Gate()
    upstream.will(reply(completion(), gate=gate))
    first = asyncio.create_task(chat(client, account, KEY))
    await gate.reached()

    second = await chat(client, account, KEY)
    gate.open()

    refused(second, 409, "idempotency_in_progress", type="conflict_error")
    assert second.headers["retry-after"] == "5"
    assert (await first).content == (await chat(client, account, KEY)).content
    assert await accounts.assert_balanced(account) == COST


async def test_of_many_at_once_one_is_served_and_charged(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account(budget=10**9)

    responses = await asyncio.gather(*(chat(client, account, KEY) for _ in range(20)))

    assert {response.status_code for response in responses} <= {200, 409}
    assert len({response.content for response in responses if response.status_code == 200}) == 1
    assert len(upstream.requests) == 1
    assert await accounts.assert_balanced(account) == COST
    assert (await accounts.key_item(account.secret))["kb"] == 10**9 - COST


@pytest.mark.parametrize("status", [400, 503])
async def test_a_failed_call_lets_the_key_run_again(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, status: int
) -> None:
    account = await accounts.account()
    upstream.will(*[fails(status)] * (1 if status == 400 else 2))
    assert (await chat(client, account, KEY)).status_code == status
    await accounts.assert_untouched(account)

    again = await chat(client, account, KEY)

    assert (again.status_code, "idempotent-replayed" in again.headers) == (200, False)
    assert await accounts.assert_balanced(account) == COST


async def test_a_call_that_the_wallet_refused_may_be_sent_again_with_another_body(
    client: httpx2.AsyncClient, accounts: Accounts
) -> None:
    account = await accounts.account(credits=0)
    refused(await chat(client, account, KEY, max_tokens=1000), 402, "insufficient_credits")

    refused(await chat(client, account, KEY, max_tokens=999), 402, "insufficient_credits")


@pytest.mark.parametrize("size", [200_000, 600_000])
async def test_long_answers_are_replayed(
    shelved_client: httpx2.AsyncClient,
    accounts: Accounts,
    upstream: FakeUpstream,
    stored_answers: MemoryAnswers,
    size: int,
) -> None:
    account = await accounts.account()
    upstream.will(reply(completion("long " * (size // 5))))

    first, again = [await chat(shelved_client, account, KEY) for _ in range(2)]

    assert len(first.content) > size
    assert (again.content, again.headers["idempotent-replayed"]) == (first.content, "true")
    assert first.content in stored_answers.stored.values()
    assert await accounts.assert_balanced(account) == COST


async def test_a_long_answer_that_cannot_be_kept_is_neither_given_nor_charged(
    shelved_client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, stored_answers: MemoryAnswers
) -> None:
    account = await accounts.account()
    upstream.will(reply(completion("long " * 50_000)))
    stored_answers.unavailable = True
    refused(await chat(shelved_client, account, KEY), 503, "service_unavailable")
    stored_answers.unavailable = False
    await accounts.assert_untouched(account)

    assert (await chat(shelved_client, account, KEY)).status_code == 200


async def test_a_run_that_lost_its_lock_charges_nothing(
    shelved_client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, clock: ManualClock
) -> None:
    account, gate = await accounts.account(budget=10**9), Gate()
    upstream.will(reply(completion("ghost"), gate=gate), reply(completion("heir")))
    ghost = asyncio.create_task(chat(shelved_client, account, KEY))
    await gate.reached()
    clock.advance(LOCK_SECONDS)

    heir = await chat(shelved_client, account, KEY)
    clock.advance(-LOCK_SECONDS)  # for the ghost, whose clock is not ahead
    gate.open()

    refused(await ghost, 409, "idempotency_in_progress")
    clock.advance(LOCK_SECONDS)
    assert (await chat(shelved_client, account, KEY)).content == heir.content
    assert await accounts.assert_balanced(account) == COST
    assert len(await accounts.entries(account.tenant)) == 1
    assert (await accounts.key_item(account.secret))["kb"] == 10**9 - COST


async def test_a_revoked_key_gets_401_and_no_replay(client: httpx2.AsyncClient, accounts: Accounts) -> None:
    account = await accounts.account()
    assert (await chat(client, account, KEY)).status_code == 200
    await accounts.keys.revoke(account.tenant, account.key_id)

    refused(await chat(client, account, KEY), 401, "invalid_api_key")


async def test_a_key_without_the_model_gets_403_and_no_replay(client: httpx2.AsyncClient, accounts: Accounts) -> None:
    account = await accounts.account()
    assert (await chat(client, account, KEY)).status_code == 200
    narrow = await accounts.key(account.tenant, models=frozenset({"lab-free"}))

    refused(await chat(client, replace(account, secret=narrow.secret), KEY), 403, "model_not_allowed")


async def test_another_key_of_the_tenant_gets_the_replay(client: httpx2.AsyncClient, accounts: Accounts) -> None:
    account = await accounts.account()
    first = await chat(client, account, KEY)
    other = await accounts.key(account.tenant)

    again = await chat(client, replace(account, secret=other.secret), KEY)

    assert (again.content, again.headers["idempotent-replayed"]) == (first.content, "true")


async def test_another_tenant_and_a_test_key_run_their_own(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account, stranger = await accounts.account(), await accounts.account()
    tester = replace(account, secret=(await accounts.key(account.tenant, mode=Mode.TEST)).secret)

    responses = [await chat(client, caller, KEY) for caller in (account, stranger, tester)]

    assert [("idempotent-replayed" in r.headers, r.status_code) for r in responses] == [(False, 200)] * 3
    assert len(upstream.requests) == 2
    again = await chat(client, tester, KEY)
    assert (again.content, again.headers["idempotent-replayed"]) == (responses[2].content, "true")
    assert again.headers["x-callmissed-sandbox"] == "true"


async def test_a_key_whose_budget_is_used_up_still_gets_the_replay(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account(budget=200_000)  # a call of a thousand tokens may cost 150,000 and a little
    first = await chat(client, account, KEY, max_tokens=1000)
    assert first.status_code == 200
    dear = json.dumps(completion(usage={"prompt_tokens": 11, "completion_tokens": 900, "total_tokens": 911}))
    upstream.will(reply(dear))
    assert (await chat(client, account, max_tokens=1000)).status_code == 200
    refused(await chat(client, account, max_tokens=1000), 402, "budget_exceeded")

    again = await chat(client, account, KEY, max_tokens=1000)

    assert (again.content, again.headers["idempotent-replayed"]) == (first.content, "true")
    refused(await chat(client, account, {"Idempotency-Key": "new"}, max_tokens=1000), 402, "budget_exceeded")
    refused(await chat(client, account, {"Idempotency-Key": "new"}, max_tokens=1000), 402, "budget_exceeded")
    await accounts.assert_balanced(account)


@pytest.mark.parametrize("key", ["", "two words", "x" * 256])
async def test_a_key_that_is_none_is_refused(client: httpx2.AsyncClient, accounts: Accounts, key: str) -> None:
    account = await accounts.account(budget=10**9)

    refused(await chat(client, account, {"Idempotency-Key": key}), 400, "invalid_idempotency_key")

    await accounts.assert_untouched(account)
    assert (await accounts.key_item(account.secret))["kb"] == 10**9


async def test_streams_ignore_the_header(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account()

    responses = [await chat(client, account, {"Idempotency-Key": key}, stream=True) for key in ("one", "one", "")]

    assert ["idempotent-replayed" in response.headers for response in responses] == [False] * 3
    assert len(upstream.requests) == 3
    assert await accounts.assert_balanced(account) == 3 * COST


async def test_a_caller_who_hung_up_gets_the_reply_by_asking_again(
    client: httpx2.AsyncClient, gateway: ServedGateway, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account, gate = await accounts.account(), Gate()
    upstream.will(reply(completion("kept for you"), gate=gate))
    url = httpx2.URL(gateway.url)
    caller = Caller(*await asyncio.open_connection(url.host, url.port))
    body = json.dumps(HELLO).encode()
    lines = [f"POST {CHAT} HTTP/1.1", "Host: gateway", f"X-Api-Key: {account.secret}", "Idempotency-Key: order-4711"]
    caller.writer.write("\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode() + body)
    await gate.reached()
    closes(caller.writer)
    gate.open()
    await eventually(accounts.is_settled, account)

    again = await client.post(CHAT, content=body, headers=account.headers | KEY)

    assert (again.headers["idempotent-replayed"], again.json()["choices"][0]["message"]["content"]) == (
        "true",
        "kept for you",
    )
    assert await accounts.assert_balanced(account) == COST


@pytest.fixture(scope="module")
def proxy(store: StageTables) -> Iterator[DynamoProxy]:
    with DynamoProxy(store.endpoint).serving() as proxy:
        yield proxy


@pytest_asyncio.fixture
async def faulty_client(
    store: StageTables, providers_file: Path, proxy: DynamoProxy
) -> AsyncIterator[httpx2.AsyncClient]:
    dynamodb = DynamoDB(REGION, proxy.url, timeout_seconds=1)
    with gateway_at_work(settings_for(store, providers_file), dynamodb=dynamodb) as gateway:
        async with httpx2.AsyncClient(base_url=gateway.url, timeout=60, trust_env=False) as client:
            yield client
    await proxy.heal()


@pytest.mark.parametrize("fault", [Fault.THROTTLE, Fault.FAIL, Fault.LOSE_REQUEST, Fault.LOSE_ANSWER])
async def test_while_the_table_is_down_nothing_runs(
    faulty_client: httpx2.AsyncClient, accounts: Accounts, proxy: DynamoProxy, upstream: FakeUpstream, fault: Fault
) -> None:
    account: Account = await accounts.account(budget=10**9)
    proxy.plan(fault, Step.BEGIN)

    refused(await chat(faulty_client, account, KEY), 503, "service_unavailable")

    assert upstream.requests == []
    await accounts.assert_untouched(account)
    assert (await accounts.key_item(account.secret))["kb"] == 10**9


@pytest.mark.parametrize("fault", [Fault.THROTTLE, Fault.FAIL, Fault.LOSE_REQUEST, Fault.LOSE_ANSWER])
async def test_an_answer_that_cannot_be_stored_is_not_charged(
    faulty_client: httpx2.AsyncClient, accounts: Accounts, proxy: DynamoProxy, upstream: FakeUpstream, fault: Fault
) -> None:
    account = await accounts.account(budget=10**9)
    proxy.plan(fault, Step.COMPLETE)
    refused(await chat(faulty_client, account, KEY), 503, "service_unavailable")
    await accounts.assert_untouched(account)
    assert (await accounts.key_item(account.secret))["kb"] == 10**9
    await proxy.heal()

    again = await chat(faulty_client, account, KEY)

    assert again.status_code == 200
    assert await accounts.assert_balanced(account) == (0 if "idempotent-replayed" in again.headers else COST)


@pytest.mark.parametrize("fault", [Fault.FAIL, Fault.LOSE_ANSWER])
async def test_a_stored_answer_that_could_not_be_settled_is_charged_once_at_most(
    faulty_client: httpx2.AsyncClient, accounts: Accounts, proxy: DynamoProxy, upstream: FakeUpstream, fault: Fault
) -> None:
    account = await accounts.account()
    proxy.plan(fault, Step.ENTRY)
    refused(await chat(faulty_client, account, KEY), 503, "service_unavailable")
    await proxy.heal()

    again = await chat(faulty_client, account, KEY)

    assert (again.status_code, again.headers["idempotent-replayed"]) == (200, "true")
    assert len(upstream.requests) == 1
    await accounts.sweep()
    assert await accounts.assert_balanced(account) == (COST if fault is Fault.LOSE_ANSWER else 0)


async def test_the_upstream_does_not_see_the_key(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    await chat(client, await accounts.account(), KEY)

    assert "idempotency-key" not in upstream.only.headers
