"""Searches at the wire of each provider: whose answer counts, whose refusal, and who is asked first."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from callmissed.aws.dynamodb import DynamoDB
from callmissed.catalog.loader import load_catalog
from callmissed.catalog.model import Catalog
from callmissed.keys.secret import Mode
from callmissed.money import CREDIT
from local.aws.tables import StageTables
from tests.support.inference.behaviours import breaks_mid_body, fails, ordinary, reply
from tests.support.inference.gateway import REGION, Account, Accounts, gateway_at_work, settings_for
from tests.support.inference.native_searches import SEARCHES, NativeRefusal, native_refusals, native_searches
from tests.support.inference.upstream import FakeUpstream
from tests.support.inference.wire import refused, search

BUILT_IN = load_catalog()
NAMES = {"google_search": "google"}
REFUSALS = list(native_refusals())
ANSWERS = {case.provider: case for case in reversed(list(native_searches()))}
"""The first case of each provider."""


@pytest.fixture(scope="module")
def searched() -> Iterator[FakeUpstream]:
    """The one server behind all providers."""
    with FakeUpstream(ordinary).serving() as upstream:
        yield upstream


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def searching(
    store: StageTables, providers_file: Path, searched: FakeUpstream
) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of a gateway whose search providers have their built-in rows, but for the URL and a price of extras."""
    rows = {
        name: replace(
            BUILT_IN.providers[name],
            base_url=f"http://127.0.0.1:{searched.port}/{name}",
            unpriced_fields=frozenset({"include_content", "search_type"}),
        )
        for name in SEARCHES
    }
    catalog = Catalog(BUILT_IN.models, {**BUILT_IN.providers, **rows})
    keys = {str(row.api_key_env): f"key-of-{name}" for name, row in rows.items()}
    settings, dynamodb = settings_for(store, providers_file), DynamoDB(REGION, store.endpoint, timeout_seconds=20)
    with gateway_at_work(settings, dynamodb=dynamodb, catalog=catalog, environment=keys) as gateway:
        async with httpx2.AsyncClient(base_url=gateway.url, timeout=30, trust_env=False) as client:
            yield client


@pytest.fixture(autouse=True)
def _nothing_before(searched: FakeUpstream) -> None:
    searched.forget()


@pytest.mark.parametrize("provider", SEARCHES)
async def test_provider_is_asked_with_its_key_and_its_pages_cost_one_credit(
    searching: httpx2.AsyncClient, accounts: Accounts, searched: FakeUpstream, provider: str
) -> None:
    account, case = await accounts.account(), ANSWERS[provider]
    searched.will(reply(case.reply))
    fields = {name: value for name, value in case.call.items() if name != "model"}

    response = await search(searching, account, **fields, provider=NAMES.get(provider, provider))

    answer = response.json()
    assert response.status_code == 200, answer
    assert {name: answer[name] for name in case.expected} == case.expected
    assert f"key-of-{provider}" in str(searched.only.headers)
    assert await accounts.assert_balanced(account) == CREDIT


@pytest.mark.parametrize("case", REFUSALS, ids=[f"{case.provider}-{case.name}" for case in REFUSALS])
async def test_refusal_of_a_provider_costs_nothing_and_shows_none_of_its_words(
    searching: httpx2.AsyncClient, accounts: Accounts, searched: FakeUpstream, case: NativeRefusal
) -> None:
    account = await accounts.account()
    searched.will(*[reply(case.body, case.status)] * 2)

    response = await search(searching, account, provider=NAMES.get(case.provider, case.provider))

    refused(response, case.expected, "provider_error" if case.expected == 503 else "invalid_request_error")
    assert not [text for text in case.body.split('"') if " " in text and text in response.text]
    await accounts.assert_untouched(account)


async def test_search_is_passed_on_until_someone_answers(
    searching: httpx2.AsyncClient, accounts: Accounts, searched: FakeUpstream
) -> None:
    account = await accounts.account()
    searched.will(
        *[fails(500)] * 2, *[breaks_mid_body()] * 2, *[reply("<html>")] * 2, reply(ANSWERS["firecrawl"].reply)
    )

    response = await search(searching, account)

    assert (response.status_code, response.json()["provider"]) == (200, "firecrawl")
    asked = [request.path.split("/")[1] for request in searched.requests]
    assert list(dict.fromkeys(asked)) == ["google_search", "exa", "serper", "firecrawl"]
    assert await accounts.assert_balanced(account) == CREDIT


async def test_key_without_a_provider_of_the_mode_is_refused_before_anyone_is_asked(
    searching: httpx2.AsyncClient, accounts: Accounts, searched: FakeUpstream
) -> None:
    account = await accounts.account(search_providers=frozenset({"serper"}))

    response = await search(searching, account, mode="detailed")

    refused(response, 403, "search_provider_not_allowed", param="provider")
    assert not searched.requests
    await accounts.assert_untouched(account)


async def test_tenants_own_provider_is_asked_first_unless_the_call_names_one(
    searching: httpx2.AsyncClient, accounts: Accounts, searched: FakeUpstream
) -> None:
    account = await accounts.account()
    await accounts.change_tenant(account.tenant, default_search_provider="serper")
    searched.otherwise = reply(ANSWERS["serper"].reply | ANSWERS["exa"].reply)

    assert await provider_of(searching, account) == "serper"
    assert await provider_of(searching, account, provider="exa") == "exa"
    assert await provider_of(searching, account, mode="detailed", include_content=True) == "exa"
    other = await accounts.key(account.tenant, search_providers=frozenset({"exa", "firecrawl"}))
    assert await provider_of(searching, replace(account, secret=other.secret)) == "exa"


async def test_tenants_own_provider_counts_for_test_keys_too(searching: httpx2.AsyncClient, accounts: Accounts) -> None:
    account = await accounts.account(mode=Mode.TEST)
    assert await provider_of(searching, account) == "google"

    await accounts.change_tenant(account.tenant, default_search_provider="firecrawl")

    assert await provider_of(searching, account) == "firecrawl"


async def provider_of(client: httpx2.AsyncClient, account: Account, **fields: Any) -> str:
    response = await search(client, account, **fields)
    assert response.status_code == 200, response.text
    return response.json()["provider"]
