"""`auto` over the wire: a free model serves, `auto` is checked and billed, and the answer says who served."""

from collections.abc import Awaitable, Callable

import httpx2
import pytest

from callmissed.keys.secret import Mode
from callmissed.plans.plans import Plan
from tests.support.inference.behaviours import fails
from tests.support.inference.gateway import Accounts
from tests.support.inference.upstream import FakeUpstream
from tests.support.inference.wire import IMAGE, chat, message, refused

BILL = 11 * 30 + 7 * 50


@pytest.mark.parametrize("ask", [chat, message])
@pytest.mark.parametrize("streamed", [False, True])
async def test_free_model_serves_at_the_price_of_auto(
    client: httpx2.AsyncClient,
    accounts: Accounts,
    upstream: FakeUpstream,
    streamed: bool,
    ask: Callable[..., Awaitable[httpx2.Response]],
) -> None:
    account = await accounts.account(plan=Plan.FREE, models=frozenset({"auto"}))

    response = await ask(client, account, model="auto", stream=streamed)

    assert response.status_code == 200, response.text
    assert upstream.only.body["model"] == "upstream-lab-free"
    assert (response.headers["x-callmissed-provider"], response.headers["x-callmissed-model"]) == ("lab", "lab-free")
    usage = (await accounts.entry(account.tenant))["usage"]
    assert (usage["model"], usage["served"], usage["upstream_id"]) == ("auto", "lab-free", "upstream-lab-free")
    assert usage["price_version"] == "i30000000-o50000000"
    assert await accounts.assert_balanced(account) == BILL


async def test_key_needs_access_to_auto_itself(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account(models=frozenset({"lab-free"}))

    error = refused(await chat(client, account, model="auto"), 403, "model_not_allowed")

    assert "'auto'" in error["message"]
    assert upstream.requests == []


async def test_failure_of_the_choice_leads_to_the_fallback(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account()
    upstream.will(fails(500), fails(500))

    response = await chat(client, account, model="auto", models=["lab-chat"])

    assert response.headers["x-callmissed-model"] == "lab-chat"
    generation = await client.get(
        "/v1/generation", params={"id": response.headers["x-generation-id"]}, headers=account.headers
    )
    tries = [tuple(each.values()) for each in generation.json()["data"]["tries"]]
    assert tries == [("lab", "lab-free", "500")] * 2 + [("lab", "lab-chat", "served")]


async def test_what_no_choice_can_do_is_not_tried(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account()
    image = [{"role": "user", "content": [IMAGE]}]

    refused(await chat(client, account, model="auto", messages=image), 503, "provider_error")

    assert upstream.requests == []
    await accounts.assert_untouched(account)


async def test_sandbox_serves_auto_for_test_keys(client: httpx2.AsyncClient, accounts: Accounts) -> None:
    account = await accounts.account(mode=Mode.TEST)

    response = await chat(client, account, model="auto")

    assert (response.json()["model"], response.headers["x-callmissed-provider"]) == ("auto", "sandbox")
