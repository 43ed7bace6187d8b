"""Rates, quotas, budgets and credits: refused calls hold and charge nothing, and say when to come back."""

from dataclasses import replace
from typing import Any

import httpx2
import pytest

from callmissed.clock import seconds_to_next_month, system_clock
from callmissed.money import CREDIT
from callmissed.plans.plans import Plan
from tests.support.inference.gateway import Account, Accounts
from tests.support.inference.upstream import FakeUpstream
from tests.support.inference.wire import chat, refused


async def with_wallet(accounts: Accounts, account: Account, **values: Any) -> Account:
    return replace(account, before=await accounts.change_wallet(account.tenant, **values))


async def test_above_its_rate_a_key_is_refused_until_it_may_come_back(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account(rpm=6)  # one call every ten seconds, no burst
    first = await chat(client, account)
    wallet, key = await accounts.wallet(account.tenant), await accounts.key_item(account.secret)

    refusals = [await chat(client, account) for _ in range(3)]

    assert (first.headers["x-ratelimit-limit"], first.headers["x-ratelimit-remaining"]) == ("1", "0")
    for response in refusals:
        refused(response, 429, "rate_limit_exceeded", type="rate_limit_error")
        assert 1 <= int(response.headers["retry-after"]) <= 10
        assert (response.headers["x-ratelimit-limit"], response.headers["x-ratelimit-remaining"]) == ("1", "0")
        assert 1 <= int(response.headers["x-ratelimit-reset"]) <= 10
    assert await accounts.wallet(account.tenant) == wallet
    assert await accounts.key_item(account.secret) == key
    assert len(upstream.requests) == 1


async def test_the_headers_count_calls_at_once_down_to_the_one_that_is_refused(
    client: httpx2.AsyncClient, accounts: Accounts
) -> None:
    account = await accounts.account(rpm=12)  # a burst of two, then one call every five seconds

    calls = [await client.get("/v1/models", headers=account.headers) for _ in range(3)]

    assert [call.status_code for call in calls] == [200, 200, 429]
    assert [call.headers["x-ratelimit-remaining"] for call in calls] == ["1", "0", "0"]
    assert {call.headers["x-ratelimit-limit"] for call in calls} == {"2"}
    assert {call.headers["ratelimit-policy"] for call in calls} == {'"key";q=12;w=60'}


async def test_reading_counts_towards_the_rate_too(client: httpx2.AsyncClient, accounts: Accounts) -> None:
    account = await accounts.account(rpm=6)

    assert (await client.get("/v1/models", headers=account.headers)).status_code == 200
    refused(await client.get("/v1/models", headers=account.headers), 429, "rate_limit_exceeded")
    refused(await chat(client, account), 429, "rate_limit_exceeded")
    await accounts.assert_untouched(account)


async def test_a_months_quota_is_exact(client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream) -> None:
    account = await with_wallet(accounts, await accounts.account(plan=Plan.FREE), q_llm=2)
    served = [await chat(client, account, model="lab-free") for _ in range(2)]
    before = await accounts.wallet(account.tenant)

    response = await chat(client, account, model="lab-free")

    assert [answer.headers["x-quota-remaining"] for answer in served] == ["1", "0"]
    assert served[0].headers["x-quota-limit"] == "100"
    assert served[0].headers["x-usage-warning"] == "critical: 99/100 llm calls this month"
    error = refused(response, 429, "quota_exceeded", type="insufficient_quota")
    assert "100/100 llm" in error["message"]
    wait = seconds_to_next_month(system_clock())
    assert wait <= int(response.headers["retry-after"]) <= wait + 60
    assert await accounts.wallet(account.tenant) == before
    assert len(upstream.requests) == 2


@pytest.mark.parametrize(("left", "warning"), [(22, None), (21, "warning: 80/100"), (6, "critical: 95/100")])
async def test_usage_warnings_come_at_80_and_95_percent(
    client: httpx2.AsyncClient, accounts: Accounts, left: int, warning: str | None
) -> None:
    account = await with_wallet(accounts, await accounts.account(plan=Plan.FREE), q_llm=left)

    shown = (await chat(client, account, model="lab-free")).headers.get("x-usage-warning")

    assert shown == (warning and f"{warning} llm calls this month")


async def test_a_failed_call_does_not_count(client: httpx2.AsyncClient, accounts: Accounts) -> None:
    account = await with_wallet(accounts, await accounts.account(), q_llm=1)

    refused(await chat(client, account, model="dead-chat"), 503, "provider_error")

    await accounts.assert_untouched(account)
    assert (await chat(client, account)).status_code == 200


@pytest.mark.parametrize("credits", [0, 0.001])
async def test_without_credits_a_call_is_refused(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, credits: float
) -> None:
    account = await accounts.account(credits=credits, budget=10 * CREDIT)

    error = refused(await chat(client, account), 402, "insufficient_credits", type="insufficient_quota")

    assert "credits" in error["message"]
    await accounts.assert_untouched(account)
    assert (await accounts.key_item(account.secret))["kb"] == 10 * CREDIT
    assert upstream.requests == []


async def test_a_tenants_budget_holds(client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream) -> None:
    account = await with_wallet(accounts, await accounts.account(), bud=1000, bl=1000)

    refused(await chat(client, account), 402, "budget_exceeded", type="insufficient_quota")

    await accounts.assert_untouched(account)
    assert upstream.requests == []


async def test_a_keys_budget_holds(client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream) -> None:
    account = await accounts.account(budget=1000)

    refused(await chat(client, account, max_tokens=100), 402, "budget_exceeded", type="insufficient_quota")

    await accounts.assert_untouched(account)
    assert (await accounts.key_item(account.secret))["kb"] == 1000
    assert upstream.requests == []


async def test_a_keys_budget_is_charged_what_the_call_cost(client: httpx2.AsyncClient, accounts: Accounts) -> None:
    account = await accounts.account(budget=10 * CREDIT)

    assert (await chat(client, account)).status_code == 200

    cost = await accounts.assert_balanced(account)
    assert cost == 11 * 50 + 7 * 150
    assert (await accounts.key_item(account.secret))["kb"] == 10 * CREDIT - cost


async def test_a_keys_budget_is_whole_again_after_a_failed_call(client: httpx2.AsyncClient, accounts: Accounts) -> None:
    account = await accounts.account(budget=10 * CREDIT)

    refused(await chat(client, account, model="dead-chat"), 503, "provider_error")

    assert (await accounts.key_item(account.secret))["kb"] == 10 * CREDIT


async def test_a_limit_that_nobody_asked_for_shrinks_to_what_the_wallet_affords(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account(credits=1)

    assert (await chat(client, account)).status_code == 200

    sent = upstream.only.body["max_tokens"]
    assert 256 <= sent < 16_384
    amount, _attempt = (await accounts.entry(account.tenant))["held"]
    assert sent * 150 <= amount <= 1 * CREDIT
    assert await accounts.assert_balanced(account) > 0


async def test_a_limit_that_the_caller_asked_for_does_not_shrink(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account(credits=1)

    refused(await chat(client, account, max_tokens=16_384), 402, "insufficient_credits")
    refused(await chat(client, account, max_completion_tokens=16_384), 402, "insufficient_credits")

    await accounts.assert_untouched(account)
    assert upstream.requests == []


@pytest.mark.parametrize(
    ("fields", "limit"),
    [
        ({"max_tokens": 50}, 50),
        ({"max_completion_tokens": 50}, 50),
        ({"max_tokens": 50, "max_completion_tokens": 9}, 9),
        ({"max_tokens": 9, "max_completion_tokens": 50}, 9),
        ({"max_tokens": None}, 16_384),
        ({"model": "lab-small"}, 512),
    ],
)
async def test_the_upstream_gets_the_limit_in_the_field_that_it_obeys(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, fields: dict[str, Any], limit: int
) -> None:
    account = await accounts.account()

    assert (await chat(client, account, **fields)).status_code == 200

    assert upstream.only.body["max_tokens"] == limit
    assert "max_completion_tokens" not in upstream.only.body
    amount, _attempt = (await accounts.entry(account.tenant))["held"]
    assert limit * 150 <= amount <= limit * 150 + 1000 * 50


async def test_the_hold_covers_every_choice(client: httpx2.AsyncClient, accounts: Accounts) -> None:
    account = await accounts.account()

    assert (await chat(client, account, n=7, max_tokens=1000)).status_code == 200

    assert (await accounts.entry(account.tenant))["held"][0] >= 7 * 1000 * 150


@pytest.mark.parametrize("fields", [{}, {"model": "lab-free", "models": ["lab-chat"], "route": "fallback"}])
async def test_the_free_plan_has_the_free_models_only(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, fields: dict[str, Any]
) -> None:
    account = await accounts.account(plan=Plan.FREE)

    error = refused(
        await chat(client, account, **fields), 403, "model_not_available", type="invalid_request_error", param="model"
    )

    assert "Model 'lab-chat' requires a paid plan. See GET /api/v1/models/access" in error["message"]
    await accounts.assert_untouched(account)
    assert upstream.requests == []
    assert (await chat(client, account, model="lab-free")).status_code == 200


async def test_a_suspended_tenant_is_stopped_on_the_next_call(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await with_wallet(accounts, await accounts.account(), st="suspended")

    refused(await chat(client, account), 403, "account_inactive")

    await accounts.assert_untouched(account)
    assert upstream.requests == []


async def test_the_first_call_of_a_month_turns_the_wallet(client: httpx2.AsyncClient, accounts: Accounts) -> None:
    account = await with_wallet(accounts, await accounts.account(), mon=202501, sp=7, av=1000 * CREDIT - 7, q_llm=0)

    response = await chat(client, account)

    assert response.headers["x-quota-remaining"] == "49999"
    wallet = await accounts.wallet(account.tenant)
    assert (wallet["mon"] > 202501, wallet["spt"], wallet["sp"]) == (True, 7, 11 * 50 + 7 * 150)
    assert wallet["av"] + wallet["sp"] + wallet["spt"] == wallet["gr"]


async def test_a_limit_that_nobody_asked_for_shrinks_to_what_the_keys_budget_covers(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account(budget=1 * CREDIT)

    assert (await chat(client, account)).status_code == 200

    assert 256 <= upstream.only.body["max_tokens"] < 16_384
    cost = await accounts.assert_balanced(account)
    assert (await accounts.key_item(account.secret))["kb"] == 1 * CREDIT - cost


async def test_a_plan_without_a_quota_shows_none(client: httpx2.AsyncClient, accounts: Accounts) -> None:
    account = await accounts.account(plan=Plan.ENTERPRISE)

    response = await chat(client, account)

    assert response.status_code == 200
    assert not [name for name in response.headers if name.startswith("x-quota")]
