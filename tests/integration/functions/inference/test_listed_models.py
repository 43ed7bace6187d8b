"""Models that only OpenRouter lists, over the wire: priced from its list, billed, refused where that says nothing."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from callmissed.aws.dynamodb import DynamoDB
from callmissed.plans.plans import Plan
from local.aws.tables import StageTables
from tests.support.inference.gateway import REGION, Accounts, gateway_at_work, settings_for
from tests.support.inference.upstream import FakeUpstream
from tests.support.inference.wire import IMAGE, MESSAGES, chat, message, refused

ID = "acme/model-1"
PRICES = {"prompt": "0.0000004", "completion": "0.0000016"}
PATH = "/openrouter/v1/models"
_MODELS = {
    "data": [
        {"id": ID, "context_length": 200_000, "pricing": PRICES, "supported_parameters": ["tools"]},
        {"id": "acme/free", "context_length": 200_000, "pricing": {"prompt": "0", "completion": "0"}},
    ]
}
LIST = json.dumps(_MODELS).encode()


@pytest_asyncio.fixture
async def client(store: StageTables, lab: FakeUpstream, tmp_path: Path) -> AsyncIterator[httpx2.AsyncClient]:
    """A gateway of its own, whose OpenRouter is the scripted upstream."""
    path = tmp_path / "providers.toml"
    path.write_text(f'[providers.openrouter]\nbase_url = "http://127.0.0.1:{lab.port}/openrouter/v1"\n')
    dynamodb = DynamoDB(REGION, store.endpoint, timeout_seconds=20)
    with gateway_at_work(settings_for(store, path), dynamodb=dynamodb) as gateway:
        async with httpx2.AsyncClient(base_url=gateway.url, timeout=30, trust_env=False) as client:
            yield client


@pytest.mark.parametrize("ask", [chat, message])
@pytest.mark.parametrize("streamed", [False, True])
async def test_listed_model_is_served_and_billed_at_its_price(
    client: httpx2.AsyncClient,
    accounts: Accounts,
    upstream: FakeUpstream,
    ask: Callable[..., Awaitable[httpx2.Response]],
    streamed: bool,
) -> None:
    account = await accounts.account(budget=10**9)
    upstream.files[PATH] = (200, LIST)

    responses = [await ask(client, account, model=ID, stream=streamed) for _ in range(2)]

    assert [response.status_code for response in responses] == [200, 200], responses[0].text
    assert [each.path.removeprefix("/openrouter/v1") for each in upstream.requests] == [
        "/chat/completions",
        "/chat/completions",
    ]
    sent = upstream.requests[0].body
    assert (sent["model"], sent["provider"]) == (ID, {"max_price": {"prompt": 0.4, "completion": 1.6}})
    assert await accounts.assert_balanced(account) == 2 * (11 * 40 + 7 * 160)


REFUSED: dict[str, tuple[dict[str, Any], int, str]] = {
    "unknown": ({"model": "acme/none"}, 404, "model_not_found"),
    "without a price": ({"model": "acme/free"}, 400, "invalid_request_error"),
    "blind": ({"model": ID, "messages": [{"role": "user", "content": [IMAGE]}]}, 400, "unsupported_image_input"),
    "too long": ({"model": ID, "max_tokens": 300_000}, 400, "invalid_request_error"),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_what_the_list_does_not_offer_is_refused(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, case: str
) -> None:
    account = await accounts.account()
    fields, status, code = REFUSED[case]
    upstream.files[PATH] = (200, LIST)

    refused(await chat(client, account, **fields), status, code)

    assert upstream.requests == []
    await accounts.assert_untouched(account)


async def test_free_plan_does_not_include_listed_models(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    upstream.files[PATH] = (200, LIST)

    refused(await chat(client, await accounts.account(plan=Plan.FREE), model=ID), 403, "model_not_available")


async def test_tokens_of_a_listed_model_are_counted(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account()
    upstream.files[PATH] = (200, LIST)
    body = {"model": ID, "messages": [{"role": "user", "content": "Hello"}]}

    assert (await client.post(f"{MESSAGES}/count_tokens", json=body, headers=account.headers)).status_code == 200
