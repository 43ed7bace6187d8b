"""Searches from admission to settlement: who is asked, what the caller gets, and what it costs."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx2
import pytest

from callmissed.aws.dynamodb import DynamoDB
from callmissed.catalog.loader import load_catalog
from callmissed.keys.secret import Mode
from callmissed.money import CREDIT
from local.aws.tables import StageTables
from tests.support.inference.behaviours import PAGES, breaks_mid_body, fails, reply
from tests.support.inference.gateway import REGION, Accounts, gateway_at_work, settings_for
from tests.support.inference.upstream import FakeUpstream
from tests.support.inference.wire import refused, search


async def test_search_costs_its_flat_price_and_says_so(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account(credits=10)
    upstream.will(reply(PAGES))

    response = await search(client, account, mode="shorter", num_results=2, gl="in")

    body = response.json()
    assert response.status_code == 200, body
    assert upstream.only.path == "/serper/search"
    assert upstream.only.body == {"q": "voice agents", "num": 2, "gl": "in"}
    assert isinstance(body.pop("latency_ms"), int)
    assert body.pop("request_id").startswith("search-")
    assert body == {
        "query": "voice agents",
        "mode": "shorter",
        "provider": "google",
        "results": [
            {
                "title": "One",
                "url": "https://one.example/a",
                "snippet": "the first",
                "content": None,
                "published_date": "2 May 2026",
                "score": None,
                "source": "one.example",
            },
            {
                "title": "Two",
                "url": "https://two.example/",
                "snippet": None,
                "content": None,
                "published_date": None,
                "score": None,
                "source": "two.example",
            },
        ],
        "answer": "42",
        "images": None,
        "credits_used": 1.0,
        "balance": 9.0,
    }
    entry = await accounts.entry(account.tenant)
    assert entry["amount"] == await accounts.assert_balanced(account) == CREDIT
    assert entry["usage"]["lines"] == [{"unit": "searches", "quantity": 1, "price": CREDIT, "per": 1}]
    assert entry["usage"]["price_version"] == "u1000000-search"
    generation = await client.get(
        "/v1/generation", params={"id": response.headers["x-generation-id"]}, headers=account.headers
    )
    assert generation.json()["data"]["units"] == {"searches": 1}


@pytest.mark.parametrize("failure", [fails(500), reply({"organic": "none"}), reply("<html>"), breaks_mid_body()])
async def test_next_provider_answers_where_one_fails(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, failure: Any
) -> None:
    account = await accounts.account()
    upstream.will(failure, failure, reply(PAGES))

    response = await search(client, account)

    assert (response.status_code, response.json()["provider"]) == (200, "exa")
    assert await accounts.assert_balanced(account) == CREDIT


async def test_search_that_fails_costs_nothing(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account()
    upstream.will(fails(500), fails(500))

    refused(await search(client, account, provider="serper"), 503, "provider_error")

    await accounts.assert_untouched(account)


async def test_key_with_other_providers_is_refused_before_anyone_is_asked(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account(search_providers=frozenset({"serper"}))

    refused(await search(client, account, provider="exa"), 403, "search_provider_not_allowed", param="provider")

    assert not upstream.requests
    upstream.will(reply(PAGES))
    assert (await search(client, account)).json()["provider"] == "serper"


async def test_replay_has_the_same_bytes_and_costs_nothing(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account()
    upstream.will(reply(PAGES))

    first = await search(client, account, {"Idempotency-Key": "search-1"})
    again = await search(client, account, {"Idempotency-Key": "search-1"})

    assert again.content == first.content
    assert await accounts.assert_balanced(account) == CREDIT


async def test_test_key_searches_the_sandbox_for_nothing(client: httpx2.AsyncClient, accounts: Accounts) -> None:
    account = await accounts.account(mode=Mode.TEST)

    body = (await search(client, account, provider="google")).json()

    assert body["results"][0]["title"] == "Voice agents"
    assert (body["credits_used"], body["balance"]) == (0.0, None)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"query": ""}, "query"),
        ({"query": "x" * 2_001}, "query"),
        ({"num_results": 51}, "num_results"),
        ({"provider": "bing"}, "provider"),
        ({"mode": "deep"}, "mode"),
        ({"unknown": 1}, "unknown"),
        ({"provider": "serper", "include_content": True}, "include_content"),
    ],
)
async def test_bad_search_is_refused_by_the_name_of_its_field(
    client: httpx2.AsyncClient, accounts: Accounts, fields: Mapping[str, Any], param: str
) -> None:
    account = await accounts.account()

    refused(await search(client, account, **fields), 400, "invalid_request_error", param=param)

    await accounts.assert_untouched(account)


async def test_balance_for_five_searches_serves_five_of_many_at_once(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account(credits=5.5)

    responses = await asyncio.gather(*(search(client, account, provider="serper") for _ in range(30)))

    served = [response for response in responses if response.status_code == 200]
    assert len(served) == len(upstream.requests) == len(await accounts.entries(account.tenant)) == 5
    for response in responses:
        if response not in served:
            refused(response, 402, "insufficient_credits")
    assert await accounts.assert_balanced(account) == 5 * CREDIT


@pytest.mark.parametrize("word", ["error", "overload", "garbage", "cut"])
async def test_sandbox_fails_on_demand(client: httpx2.AsyncClient, accounts: Accounts, word: str) -> None:
    account = await accounts.account()

    response = await search(client, account, provider="sandbox-search", query=f"voice sandbox:{word}")

    assert (response.status_code, response.json()["error"]["code"]) in (
        (503, "provider_error"),
        (502, "upstream_error"),
    )
    await accounts.assert_untouched(account)


async def test_service_is_named_where_no_provider_is_configured(
    store: StageTables, providers_file: Path, accounts: Accounts
) -> None:
    account, dynamodb = await accounts.account(), DynamoDB(REGION, store.endpoint, timeout_seconds=20)
    settings = settings_for(store, providers_file)
    with gateway_at_work(settings, dynamodb=dynamodb, catalog=load_catalog(), environment={}) as gateway:
        async with httpx2.AsyncClient(base_url=gateway.url, timeout=30, trust_env=False) as client:
            error = refused(await search(client, account), 503, "provider_error", param="provider")
            one = refused(await search(client, account, provider="exa"), 503, "provider_error", param="provider")

    assert error["message"].startswith("Web search is not available. No provider of searches is configured.")
    assert one["message"].startswith("The search provider 'exa' is not available.")
    await accounts.assert_untouched(account)
