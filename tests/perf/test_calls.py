"""What a call asks of DynamoDB: round trips, reads, transactions and write units, counted and never timed."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import httpx2
import pytest
import pytest_asyncio

from callmissed.aws.database import Database
from callmissed.catalog.loader import load_catalog
from callmissed.catalog.model import Category, Model
from callmissed.clock import system_clock
from callmissed.errors import ApiError
from callmissed.keys.admission import Admission
from callmissed.keys.authenticate import KeyAuthenticator
from callmissed.keys.secret import Mode, new_secret
from callmissed.platform.routes import ROUTES
from callmissed_ai.routing.health import RouteHealth
from callmissed_ai.routing.sharing import SharedHealth
from functions.auth.authorizer import authorize, request_of
from local.aws.tables import StageTables
from tests.support.authorizer_requests import request as account_request
from tests.support.counting import Count, CountingDynamoDB
from tests.support.inference.behaviours import fails
from tests.support.inference.gateway import PEPPER, REGION, Account, Accounts, gateway_at_work, settings_for
from tests.support.inference.upstream import FakeUpstream, until
from tests.support.inference.wire import (
    CHAT,
    EMBEDDINGS,
    HISTORY,
    IMAGES,
    MESSAGES,
    RESPONSES,
    SEARCH,
    SPEECH,
    TRANSCRIPTIONS,
    TRANSLATIONS,
    chat,
    embed,
    message,
    refused,
    respond,
    search,
    speak,
    transcribe,
)
from tests.support.keys.authenticators import only_keys

STREAMED = pytest.mark.parametrize("streamed", [False, True], ids=["blocking", "streaming"])
BUDGETS = pytest.mark.parametrize("budget", [None, 10**10], ids=["no budget", "budget"])
SERVICES = pytest.mark.parametrize(
    "call",
    [
        *(chat, partial(chat, stream=True), message, partial(message, stream=True)),
        *(partial(respond, store=False), partial(respond, store=False, stream=True), embed),
        partial(search, provider="serper"),
        *(transcribe, partial(transcribe, path=TRANSLATIONS)),
        speak,
    ],
    ids=[
        *("chat blocking", "chat streaming", "messages blocking", "messages streaming"),
        *("responses blocking", "responses streaming", "embeddings", "search"),
        *("transcriptions", "translations", "speech"),
    ],
)
BilledCall = Callable[[httpx2.AsyncClient, Account], Awaitable[httpx2.Response]]
ADMIT, HOLD, ENTRY, APPLY = "UpdateItem keys", "UpdateItem wallets", "PutItem ledger", "UpdateItem wallets"
KEEP = "UpdateItem idempotency"
COUNT_TOKENS = f"{MESSAGES}/count_tokens"
KEYED = {"Idempotency-Key": "counted"}


@SERVICES
@BUDGETS
async def test_billed_call_of_every_service(
    client: httpx2.AsyncClient,
    accounts: Accounts,
    count: Count,
    asked: FakeUpstream,
    call: BilledCall,
    budget: int | None,
) -> None:
    account = await accounts.account(budget=budget)

    assert (await call(client, account)).status_code == 200

    is_charged_apart = bool(budget) and getattr(call, "func", call) is transcribe  # after its audio is measured
    before = [ADMIT, ADMIT, HOLD] if is_charged_apart else [ADMIT, HOLD]
    assert count.before_upstream == len(before)
    assert count.operations[: len(before)] == before
    is_exact = getattr(call, "func", call) in (search, speak)
    refund = [ADMIT] if budget and not is_exact else []  # a search and speech cost what was held
    assert sorted(count.operations[len(before) :]) == sorted([ENTRY, APPLY, *refund])
    assert len(count.spans) == len(count.exchanges)
    assert count.rounds == 4 + is_charged_apart
    assert (count.reads, count.transactions) == (0, 0)
    assert count.units == len(count.exchanges) <= 5 + is_charged_apart


def test_every_service_is_counted() -> None:
    billed = {route.path.removeprefix("/anthropic") for route in ROUTES if route.permission}

    counted = {
        CHAT,
        EMBEDDINGS,
        IMAGES,
        HISTORY,
        SEARCH,
        SPEECH,
        TRANSCRIPTIONS,
        TRANSLATIONS,
        MESSAGES,
        RESPONSES,
        f"{RESPONSES}/compact",
        COUNT_TOKENS,
    }
    assert {path for path in billed if "{" not in path} == counted


async def test_count_of_tokens_is_one_write(client: httpx2.AsyncClient, accounts: Accounts, count: Count) -> None:
    account = await accounts.account()
    body = {"model": "lab-chat", "messages": [{"role": "user", "content": "Hello"}]}

    assert (await client.post(COUNT_TOKENS, json=body, headers=account.headers)).status_code == 200

    assert count.operations == [ADMIT]


@BUDGETS
async def test_a_call_with_an_idempotency_key_costs_two_writes_more(
    client: httpx2.AsyncClient, accounts: Accounts, count: Count, asked: FakeUpstream, budget: int | None
) -> None:
    account = await accounts.account(budget=budget)

    assert (await chat(client, account, KEYED)).status_code == 200

    assert count.before_upstream == 3
    assert count.operations[:4] == [ADMIT, KEEP, HOLD, KEEP]
    assert sorted(count.operations[4:]) == sorted([ENTRY, APPLY] + ([ADMIT] if budget else []))
    assert count.rounds == 4 + 2
    assert (count.reads, count.transactions) == (0, 0)
    assert count.units == len(count.exchanges) == len(count.spans) <= 5 + 2


@pytest.mark.parametrize(("budget", "trips"), [(None, [ADMIT, KEEP]), (10**10, [ADMIT, KEEP, ADMIT])])
async def test_a_replay_costs_one_write_and_the_return_of_the_budget(
    client: httpx2.AsyncClient, accounts: Accounts, dynamodb: CountingDynamoDB, budget: int | None, trips: list[str]
) -> None:
    account = await accounts.account(budget=budget)
    assert (await chat(client, account, KEYED)).status_code == 200
    count = dynamodb.restart()

    assert (await chat(client, account, KEYED)).headers["idempotent-replayed"] == "true"

    assert count.operations == trips
    assert len(count.spans) == len(trips)


async def test_a_stream_with_an_idempotency_key_costs_nothing_more(
    client: httpx2.AsyncClient, accounts: Accounts, count: Count
) -> None:
    account = await accounts.account()

    assert (await chat(client, account, KEYED, stream=True)).status_code == 200

    assert count.operations == [ADMIT, HOLD, ENTRY, APPLY]


async def test_calls_in_a_row_cost_the_same(
    client: httpx2.AsyncClient, accounts: Accounts, dynamodb: CountingDynamoDB
) -> None:
    account = await accounts.account(rpm=600, budget=10**10)

    for _ in range(5):
        count = dynamodb.restart()
        assert (await chat(client, account)).status_code == 200
        assert (len(count.spans), count.rounds, count.units) == (5, 4, 5)


async def test_health_of_routes_is_read_beside_a_call_and_now_and_then(
    store: StageTables, providers_file: Path, accounts: Accounts, upstream: FakeUpstream
) -> None:
    dynamodb = CountingDynamoDB(REGION, store.endpoint)
    account, health = await accounts.account(), RouteHealth()
    health.sharing = SharedHealth(Database(dynamodb, store.stage), health)
    with gateway_at_work(settings_for(store, providers_file), dynamodb=dynamodb, health=health) as gateway:
        async with httpx2.AsyncClient(base_url=gateway.url, timeout=30, trust_env=False) as client:
            first = dynamodb.restart()
            assert (await chat(client, account)).status_code == 200
            await until(lambda: "Query tenants" in first.operations)
            second = dynamodb.restart()
            assert (await chat(client, account)).status_code == 200

    assert [each for each in first.operations if each in (ADMIT, HOLD, ENTRY, APPLY)] == [ADMIT, HOLD, ENTRY, APPLY]
    assert second.operations == [ADMIT, HOLD, ENTRY, APPLY]


@STREAMED
async def test_a_test_keys_call(client: httpx2.AsyncClient, accounts: Accounts, count: Count, streamed: bool) -> None:
    account = await accounts.account(mode=Mode.TEST, budget=10**10)

    assert (await chat(client, account, stream=streamed)).status_code == 200

    assert count.operations == [ADMIT, ENTRY]
    assert (count.rounds, count.units) == (2, 2)


def chat_models() -> list[Model]:
    """Every model of the built-in catalog that chats."""
    return [model for model in load_catalog().listed(Category.LLM) if model.price and not model.realtime]


@pytest.mark.parametrize("model", [model.id for model in chat_models() if model.status == "live"])
async def test_the_entry_of_every_model_fits_one_unit(
    client: httpx2.AsyncClient, accounts: Accounts, count: Count, tester: Account, model: str
) -> None:
    assert (await chat(client, tester, model=model)).status_code == 200

    assert count.units == len(count.exchanges) == 2


@pytest_asyncio.fixture(scope="module")
async def tester(accounts: Accounts) -> Account:
    return await accounts.account(mode=Mode.TEST)


async def test_garbage_for_a_key_costs_nothing(client: httpx2.AsyncClient, count: Count) -> None:
    for headers in ({}, {"x-api-key": "cm_live_garbage"}, {"Authorization": f"Bearer {new_secret(Mode.LIVE)[:-1]}"}):
        refused(await client.get("/v1/models", headers=headers), 401, "invalid_api_key")

    assert count.spans == []


async def test_an_unknown_key_costs_one_write(client: httpx2.AsyncClient, count: Count) -> None:
    refused(await client.get("/v1/models", headers={"x-api-key": new_secret(Mode.LIVE)}), 401, "invalid_api_key")

    assert len(count.spans) == 1


async def test_a_revoked_key_costs_one_write(
    client: httpx2.AsyncClient, accounts: Accounts, dynamodb: CountingDynamoDB
) -> None:
    account = await accounts.account()
    await accounts.keys.revoke(account.tenant, account.key_id)
    count = dynamodb.restart()

    refused(await chat(client, account), 401, "invalid_api_key")

    assert len(count.spans) == 1


@pytest.mark.parametrize(("budget", "trips"), [(None, 1), (10**10, 2)])
async def test_a_refused_permission(
    client: httpx2.AsyncClient, accounts: Accounts, dynamodb: CountingDynamoDB, budget: int | None, trips: int
) -> None:
    account = await accounts.account(permissions=frozenset({"stt"}), budget=budget)
    count = dynamodb.restart()

    refused(await chat(client, account), 403, "permission_denied")

    assert (len(count.spans), count.units) == (trips, trips)


async def test_a_remembered_denial_costs_a_read(
    client: httpx2.AsyncClient, accounts: Accounts, dynamodb: CountingDynamoDB
) -> None:
    account = await accounts.account(rpm=1)
    assert (await chat(client, account)).status_code == 200
    count = dynamodb.restart()
    refused(await chat(client, account), 429, "rate_limit_exceeded")
    assert len(count.spans) == 1

    for _ in range(20):
        refused(await chat(client, account), 429, "rate_limit_exceeded")

    assert count.operations == [ADMIT] + ["GetItem keys"] * 20


async def test_an_empty_wallet_costs_two_writes(
    client: httpx2.AsyncClient, accounts: Accounts, dynamodb: CountingDynamoDB
) -> None:
    account = await accounts.account(credits=0)
    count = dynamodb.restart()

    refused(await chat(client, account), 402, "insufficient_credits")

    assert (count.rounds, len(count.spans)) == (2, 2)


async def test_a_bad_body_costs_one_write(
    client: httpx2.AsyncClient, accounts: Accounts, dynamodb: CountingDynamoDB
) -> None:
    account = await accounts.account(budget=10**10)
    count = dynamodb.restart()

    refused(await chat(client, account, max_tokens=-1), 400, "invalid_request_error")

    assert count.operations == [ADMIT]


async def test_a_failed_call_costs_a_release(
    client: httpx2.AsyncClient, accounts: Accounts, dynamodb: CountingDynamoDB, upstream: FakeUpstream
) -> None:
    account = await accounts.account()
    upstream.will(fails(400))
    count = dynamodb.restart()

    refused(await chat(client, account), 400, "invalid_request_error")

    assert count.operations == [ADMIT, HOLD, "UpdateItem wallets"]
    assert (count.rounds, count.units) == (3, 3)


async def test_listing_models_costs_one_write(
    client: httpx2.AsyncClient, accounts: Accounts, dynamodb: CountingDynamoDB
) -> None:
    account = await accounts.account()
    count = dynamodb.restart()

    for path in ("/v1/models", "/v1/models/lab-chat"):
        assert (await client.get(path, headers=account.headers)).status_code == 200
    assert count.operations == [ADMIT, ADMIT]

    for path in ("/api/v1/models", "/api/v1/models/access", "/api/v1/models/lab-chat"):
        assert (await client.get(path)).status_code == 200
    assert count.operations == [ADMIT, ADMIT]


async def test_a_past_call_costs_one_write_and_one_read(
    client: httpx2.AsyncClient, accounts: Accounts, dynamodb: CountingDynamoDB
) -> None:
    account = await accounts.account()
    call = await chat(client, account)
    count = dynamodb.restart()

    params = {"id": call.headers["x-generation-id"]}
    assert (await client.get("/v1/generation", params=params, headers=account.headers)).status_code == 200

    assert count.operations == [ADMIT, "GetItem ledger"]


async def test_a_remembered_preflight_costs_nothing(
    client: httpx2.AsyncClient, accounts: Accounts, dynamodb: CountingDynamoDB
) -> None:
    await accounts.account(domains=frozenset({"*.counted.example.com"}))
    count = dynamodb.restart()

    for _ in range(5):
        response = await client.options("/v1/models", headers={"Origin": "https://a.counted.example.com"})
        assert response.status_code == 204

    assert count.operations == ["Query domains"] * 4  # one for each pattern that allows the host
    assert count.rounds == 1


async def test_an_authorized_request_costs_one_write(
    accounts: Accounts, store: StageTables, authorizing: CountingDynamoDB
) -> None:
    hooks = frozenset({"webhooks:write"})
    account, slow = await accounts.account(scopes=hooks), await accounts.account(scopes=hooks, rpm=1)
    foreign = new_secret(Mode.LIVE)
    ring = KeyAuthenticator(
        Database(authorizing, store.stage), Admission(Database(authorizing, store.stage)), (PEPPER,)
    )

    async def cost(secret: str) -> tuple[int, int, float]:
        count = authorizing.restart()
        with suppress(ApiError):
            await authorize(request_of(account_request(secret)), only_keys(ring), system_clock())
        assert count.transactions == 0
        return count.rounds, len(count.spans), count.units

    for _ in range(5):
        assert await cost(account.secret) == (1, 1, 1)
    assert [await cost(slow.secret) for _ in range(3)] == [(1, 1, 1), (1, 1, 0), (1, 1, 1)]  # the last is a read
    assert (await cost(foreign))[:2] == (1, 1)
    assert await cost(foreign[:-1]) == (0, 0, 0)


@pytest_asyncio.fixture
async def authorizing(store: StageTables) -> AsyncIterator[CountingDynamoDB]:
    dynamodb = CountingDynamoDB(REGION, store.endpoint)
    yield dynamodb
    await dynamodb.close()
