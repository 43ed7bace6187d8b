"""DynamoDB slow, throttling, failing or down: bounded retries, then 503; holds are released, or swept."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from callmissed.aws.dynamodb import DynamoDB
from local.aws.tables import StageTables
from tests.support.aws.dynamodb_proxy import DynamoProxy, Fault, Step
from tests.support.inference.behaviours import DONE, breaks_mid_body
from tests.support.inference.gateway import REGION, Account, Accounts, gateway_at_work, settings_for
from tests.support.inference.upstream import FakeUpstream
from tests.support.inference.wire import chat, events_of, refused
from tests.support.threads import listening_socket

TIMEOUT_SECONDS = 0.3
BUDGET = 10**10
REPORTED = 11 * 50 + 7 * 150

SHAPES = pytest.mark.parametrize("streamed", [False, True], ids=["blocking", "streaming"])
LASTING = pytest.mark.parametrize(
    "fault", [Fault.THROTTLE, Fault.FAIL, Fault.REFUSE, Fault.LOSE_REQUEST, Fault.LOSE_ANSWER, Fault.STALL]
)
PASSING = pytest.mark.parametrize(
    "fault", [Fault.THROTTLE, Fault.FAIL, Fault.LOSE_REQUEST, Fault.LOSE_ANSWER, Fault.STALL]
)


@pytest_asyncio.fixture(scope="module")
async def client(
    shared_proxy: DynamoProxy, store: StageTables, providers_file: Path
) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of a gateway whose DynamoDB is behind the proxy, and which soon loses patience with it."""
    dynamodb = DynamoDB(REGION, shared_proxy.url, timeout_seconds=TIMEOUT_SECONDS)
    with gateway_at_work(settings_for(store, providers_file), dynamodb=dynamodb) as gateway:
        async with httpx2.AsyncClient(base_url=gateway.url, timeout=30, trust_env=False) as client:
            yield client


@pytest_asyncio.fixture
async def account(accounts: Accounts) -> Account:
    return await accounts.account(budget=BUDGET)


async def assert_key_has_at_most(accounts: Accounts, account: Account, left: int) -> None:
    """A lost answer may leave a key with less to spend than it should have, never with more."""
    assert (await accounts.key_item(account.secret))["kb"] <= left


@PASSING
@SHAPES
@pytest.mark.parametrize("step", [Step.ADMIT, Step.HOLD, Step.ENTRY, Step.APPLY])
async def test_a_passing_fault_is_not_noticed(
    client: httpx2.AsyncClient,
    accounts: Accounts,
    account: Account,
    proxy: DynamoProxy,
    upstream: FakeUpstream,
    step: Step,
    fault: Fault,
    streamed: bool,
) -> None:
    proxy.plan(fault, step, times=1)

    response = await chat(client, account, stream=streamed)

    assert response.status_code == 200
    await proxy.heal()
    if (step, fault) == (Step.HOLD, Fault.STALL):
        assert (await accounts.sweep()).duplicates == 1  # the request that was given up came after all
    assert await accounts.assert_balanced(account) == REPORTED
    assert len(await accounts.entries(account.tenant)) == len(upstream.requests) == 1
    await assert_key_has_at_most(accounts, account, BUDGET - REPORTED)


@LASTING
async def test_without_admission_there_is_no_call(
    client: httpx2.AsyncClient,
    accounts: Accounts,
    account: Account,
    proxy: DynamoProxy,
    upstream: FakeUpstream,
    fault: Fault,
) -> None:
    proxy.plan(fault, Step.ADMIT)

    response = await chat(client, account)

    unavailable(response, fault)
    assert len(proxy.seen) <= 8
    await accounts.assert_untouched(account)
    assert upstream.requests == []


@LASTING
async def test_without_a_hold_there_is_no_call_and_nothing_stays_held(
    client: httpx2.AsyncClient,
    accounts: Accounts,
    account: Account,
    proxy: DynamoProxy,
    upstream: FakeUpstream,
    fault: Fault,
) -> None:
    proxy.plan(fault, Step.HOLD)

    response = await chat(client, account)

    unavailable(response, fault)
    assert proxy.seen.count(Step.HOLD) <= 6
    await proxy.heal()
    await accounts.sweep()
    assert await accounts.assert_balanced(account) == 0
    assert upstream.requests == []
    await assert_key_has_at_most(accounts, account, BUDGET)


@LASTING
@SHAPES
async def test_without_an_entry_the_reply_is_withheld_and_the_sweep_decides(
    client: httpx2.AsyncClient,
    accounts: Accounts,
    account: Account,
    proxy: DynamoProxy,
    upstream: FakeUpstream,
    fault: Fault,
    streamed: bool,
) -> None:
    proxy.plan(fault, Step.ENTRY)

    response = await chat(client, account, stream=streamed)

    if streamed:
        assert DONE not in response.content
        assert events_of(response.content)[-1]["error"]["code"] == "service_unavailable"
    else:
        refused(response, 503, "service_unavailable", type="api_error")
    await proxy.heal()
    assert len((await accounts.wallet(account.tenant))["h"]) == 1
    await accounts.sweep()
    charged = await accounts.assert_balanced(account)
    assert charged in (0, REPORTED)
    assert charged == REPORTED or fault is not Fault.LOSE_ANSWER
    await assert_key_has_at_most(accounts, account, BUDGET - charged)


@LASTING
@SHAPES
async def test_with_an_entry_the_reply_goes_out_and_the_sweep_brings_the_wallet_in_line(
    client: httpx2.AsyncClient,
    accounts: Accounts,
    account: Account,
    proxy: DynamoProxy,
    fault: Fault,
    streamed: bool,
) -> None:
    proxy.plan(fault, Step.APPLY)

    response = await chat(client, account, stream=streamed)

    assert response.status_code == 200
    await proxy.heal()
    await accounts.sweep()
    assert await accounts.assert_balanced(account) == REPORTED


@LASTING
async def test_a_failed_call_whose_hold_cannot_be_released_is_swept(
    client: httpx2.AsyncClient,
    accounts: Accounts,
    account: Account,
    proxy: DynamoProxy,
    upstream: FakeUpstream,
    fault: Fault,
) -> None:
    upstream.will(breaks_mid_body())
    proxy.plan(fault, Step.RELEASE)

    refused(await chat(client, account), 503, "provider_error")

    await proxy.heal()
    await accounts.sweep()
    assert await accounts.assert_balanced(account) == 0


@LASTING
async def test_a_keys_share_that_cannot_be_given_back_fails_no_call(
    client: httpx2.AsyncClient, accounts: Accounts, account: Account, proxy: DynamoProxy, fault: Fault
) -> None:
    proxy.plan(fault, Step.GIVE_BACK)

    assert (await chat(client, account)).status_code == 200

    assert await accounts.assert_balanced(account) == REPORTED
    await assert_key_has_at_most(accounts, account, BUDGET - REPORTED)


@LASTING
async def test_refusals_stay_refusals_when_the_keys_share_cannot_be_given_back(
    client: httpx2.AsyncClient, accounts: Accounts, proxy: DynamoProxy, fault: Fault
) -> None:
    account = await accounts.account(permissions=frozenset({"stt"}), budget=BUDGET)
    proxy.plan(fault, Step.GIVE_BACK)

    refused(await chat(client, account), 403, "permission_denied")

    await accounts.assert_untouched(account)


@pytest.fixture(scope="module")
def url_without_storage(store: StageTables, providers_file: Path) -> Iterator[str]:
    with listening_socket() as closed:
        dynamodb = DynamoDB(REGION, f"http://127.0.0.1:{closed.getsockname()[1]}", timeout_seconds=TIMEOUT_SECONDS)
        with gateway_at_work(settings_for(store, providers_file), dynamodb=dynamodb) as gateway:
            yield gateway.url


@pytest.mark.parametrize(
    ("method", "path", "more"),
    [
        ("POST", "/v1/chat/completions", {}),
        ("GET", "/v1/models", {}),
        ("GET", "/v1/models/lab-chat", {}),
        ("GET", "/v1/generation?id=gen_x", {}),
        ("OPTIONS", "/v1/chat/completions", {"Origin": "https://app.example.com"}),
    ],
)
async def test_while_storage_is_down_every_answer_is_503(
    accounts: Accounts, url_without_storage: str, method: str, path: str, more: dict[str, str], account: Account
) -> None:
    body: Any = {"model": "lab-chat", "messages": [{"role": "user", "content": "x"}]} if method == "POST" else None
    async with httpx2.AsyncClient(base_url=url_without_storage, trust_env=False) as client:
        response = await client.request(method, path, json=body, headers=account.headers | more)

    refused(response, 503, "service_unavailable", type="api_error")
    assert response.headers["retry-after"] == "1"
    await accounts.assert_untouched(account)


async def test_the_public_catalog_needs_no_storage(url_without_storage: str) -> None:
    async with httpx2.AsyncClient(base_url=url_without_storage, trust_env=False) as client:
        assert (await client.get("/api/v1/models")).status_code == 200


def unavailable(response: httpx2.Response, fault: Fault) -> None:
    """503; a request that DynamoDB rejects outright is a defect of ours, hence 500."""
    if fault is Fault.REFUSE:
        refused(response, 500, "internal_error")
    else:
        refused(response, 503, "service_unavailable", type="api_error")
        assert response.headers["retry-after"] == "1"
