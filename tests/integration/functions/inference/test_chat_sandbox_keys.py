"""Test keys: they never leave the sandbox and never cost anything, whatever model they name."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from callmissed.keys.secret import Mode
from callmissed.plans.plans import Plan
from tests.support.inference.behaviours import DONE
from tests.support.inference.gateway import Account, Accounts
from tests.support.inference.upstream import FakeUpstream
from tests.support.inference.wire import CHAT, HELLO, IMAGE, chat, events_of, refused


@pytest_asyncio.fixture
async def tester(accounts: Accounts) -> Account:
    """A free tenant without a credit or a call left, with a test key."""
    account = await accounts.account(plan=Plan.FREE, credits=0, mode=Mode.TEST, budget=1)
    return replace(account, before=await accounts.change_wallet(account.tenant, q_llm=0))


@pytest_asyncio.fixture(autouse=True)
async def nothing_leaves(accounts: Accounts, tester: Account, upstream: FakeUpstream) -> AsyncIterator[None]:
    yield
    assert upstream.requests == []
    assert await accounts.wallet(tester.tenant) == tester.before
    assert (await accounts.key_item(tester.secret))["kb"] == 1
    assert all((entry["amount"], entry["sandbox"]) == (0, True) for entry in await accounts.entries(tester.tenant))


@pytest.mark.parametrize("model", ["sandbox", "lab-chat", "lab-dear", "dead-chat", "keyless-chat", "gpt-5.5"])
@pytest.mark.parametrize("streamed", [False, True])
async def test_every_model_is_played_by_the_sandbox(
    client: httpx2.AsyncClient, accounts: Accounts, tester: Account, model: str, streamed: bool
) -> None:
    response = await chat(client, tester, model=model, stream=streamed)

    assert response.status_code == 200, response.text
    assert response.headers["x-callmissed-sandbox"] == "true"
    assert "x-quota-limit" not in response.headers
    if streamed:
        assert response.content.endswith(DONE)
    usage = (await accounts.entry(tester.tenant))["usage"]
    assert (usage["model"], usage["provider"]) == (model, "sandbox")


async def test_the_key_may_be_shown_as_x_api_key(client: httpx2.AsyncClient, tester: Account) -> None:
    response = await client.post(CHAT, json=HELLO, headers={"x-api-key": tester.secret})

    assert (response.status_code, response.headers["x-callmissed-sandbox"]) == (200, "true")


async def test_a_live_key_has_no_sandbox_header_even_for_the_sandbox_model(
    client: httpx2.AsyncClient, accounts: Accounts
) -> None:
    account = await accounts.account()

    response = await chat(client, account, model="sandbox")

    assert response.status_code == 200
    assert "x-callmissed-sandbox" not in response.headers
    assert await accounts.assert_balanced(account) > 0


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"messages": []}, 400, "invalid_request_error"),
        ({"max_tokens": -1}, 400, "invalid_request_error"),
        ({"model": "no-such-model"}, 404, "model_not_found"),
        ({"model": "kimi-k2.5-fast"}, 503, "model_under_maintenance"),
        ({"messages": [{"role": "user", "content": [IMAGE]}]}, 400, "unsupported_image_input"),
    ],
)
async def test_requests_are_validated_as_for_a_live_key(
    client: httpx2.AsyncClient, accounts: Accounts, tester: Account, fields: dict[str, Any], status: int, code: str
) -> None:
    response = await chat(client, tester, **fields)

    refused(response, status, code)
    assert response.headers["x-callmissed-sandbox"] == "true"
    assert await accounts.entries(tester.tenant) == []


@pytest.mark.parametrize(
    ("instruction", "status", "code"),
    [
        ("rate_limit", 429, "rate_limit_exceeded"),
        ("error", 503, "provider_error"),
        ("overload", 503, "provider_error"),
        ("bad_request", 400, "invalid_request_error"),
        ("auth", 401, "invalid_api_key"),
        ("garbage", 502, "upstream_error"),
    ],
)
async def test_failures_on_demand_cost_nothing_and_leave_no_entry(
    client: httpx2.AsyncClient, accounts: Accounts, tester: Account, instruction: str, status: int, code: str
) -> None:
    response = await chat(client, tester, messages=[{"role": "user", "content": f"sandbox:{instruction}"}])

    refused(response, status, code)
    assert response.headers["x-callmissed-sandbox"] == "true"
    assert await accounts.entries(tester.tenant) == []


async def test_a_cut_on_demand_ends_with_an_error_event(client: httpx2.AsyncClient, tester: Account) -> None:
    response = await chat(client, tester, stream=True, messages=[{"role": "user", "content": "sandbox:cut"}])

    assert events_of(response.content)[-1]["error"]["code"] == "provider_error"


async def test_limits_of_the_key_still_hold(client: httpx2.AsyncClient, accounts: Accounts) -> None:
    locked = await accounts.account(mode=Mode.TEST, domains=frozenset({"app.example.com"}))
    deaf = await accounts.account(mode=Mode.TEST, permissions=frozenset({"stt"}))
    narrow = await accounts.account(mode=Mode.TEST, models=frozenset({"lab-free"}))
    slow = await accounts.account(mode=Mode.TEST, rpm=1)

    refused(await chat(client, locked), 403, "domain_not_allowed")
    refused(await chat(client, deaf), 403, "permission_denied")
    refused(await chat(client, narrow), 403, "model_not_allowed")
    assert (await chat(client, slow)).status_code == 200
    refused(await chat(client, slow), 429, "rate_limit_exceeded")
