"""Many calls at once: exactly as many are served as the wallet, the quota, the key and its rate allow."""

import asyncio
from dataclasses import replace

import httpx2
import pytest

from callmissed.money import CREDIT
from callmissed.plans.plans import Plan
from tests.support.inference.behaviours import completion, ordinary, reply
from tests.support.inference.gateway import Account, Accounts
from tests.support.inference.upstream import FakeUpstream, Gate, until
from tests.support.inference.wire import chat, refused

CALLERS = 50
SERVED = 7
LIMIT = {"max_tokens": 1000}


async def dearest(client: httpx2.AsyncClient, accounts: Accounts) -> int:
    """Micro-credits that one call of these holds."""
    account = await accounts.account()
    assert (await chat(client, account, max_tokens=1000)).status_code == 200
    return (await accounts.entry(account.tenant))["held"][0]


async def race(
    client: httpx2.AsyncClient, account: Account, upstream: FakeUpstream, refusal: tuple[int, str]
) -> list[httpx2.Response]:
    """Call all at once with an upstream that answers nobody before the refused have been refused."""
    gate = Gate()
    upstream.otherwise = reply(completion(), gate=gate)
    try:
        calls = [asyncio.create_task(chat(client, account, max_tokens=1000)) for _ in range(CALLERS)]
        await until(lambda: sum(call.done() for call in calls) >= CALLERS - SERVED)
        gate.open()
        responses = await asyncio.gather(*calls)
    finally:
        upstream.otherwise = ordinary
    for response in responses:
        if response.status_code != 200:
            refused(response, *refusal)
    return [response for response in responses if response.status_code == 200]


@pytest.mark.parametrize("spare", [0, 1])
async def test_a_wallet_for_seven_serves_seven(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, spare: int
) -> None:
    enough = SERVED * await dearest(client, accounts)
    account = await accounts.account(credits=(enough + spare) / CREDIT)
    upstream.forget()

    served = await race(client, account, upstream, (402, "insufficient_credits"))

    assert len(served) == len(upstream.requests) == len(await accounts.entries(account.tenant)) == SERVED
    assert await accounts.assert_balanced(account) == SERVED * (11 * 50 + 7 * 150)


async def test_a_wallet_for_almost_seven_serves_six(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    enough = SERVED * await dearest(client, accounts)
    account = await accounts.account(credits=(enough - 1) / CREDIT)
    upstream.forget()

    served = await race(client, account, upstream, (402, "insufficient_credits"))

    assert len(served) == len(upstream.requests) == SERVED - 1
    await accounts.assert_balanced(account)


async def test_a_keys_budget_for_seven_serves_seven(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    budget = SERVED * await dearest(client, accounts)
    account = await accounts.account(budget=budget)
    upstream.forget()

    served = await race(client, account, upstream, (402, "budget_exceeded"))

    assert len(served) == len(upstream.requests) == SERVED
    assert (await accounts.key_item(account.secret))["kb"] == budget - await accounts.assert_balanced(account)


async def test_a_quota_of_seven_serves_seven(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account(plan=Plan.FREE)
    account = replace(account, before=await accounts.change_wallet(account.tenant, q_llm=SERVED))

    responses = await asyncio.gather(*(chat(client, account, model="lab-free") for _ in range(CALLERS)))

    assert [response.status_code for response in responses].count(200) == len(upstream.requests) == SERVED
    for response in responses:
        if response.status_code != 200:
            refused(response, 429, "quota_exceeded")
    assert (await accounts.wallet(account.tenant))["q_llm"] == 0
    await accounts.assert_balanced(account)


async def test_a_rate_of_one_at_once_serves_one(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account(rpm=1)  # the next one is due in a minute

    responses = await asyncio.gather(*(chat(client, account) for _ in range(CALLERS)))

    assert [response.status_code for response in responses].count(200) == len(upstream.requests) == 1
    for response in responses:
        if response.status_code != 200:
            refused(response, 429, "rate_limit_exceeded")
    assert await accounts.assert_balanced(account) == 11 * 50 + 7 * 150
