"""Second routes and fallback models: tried before the first byte only, and billed as what served."""

from typing import Any

import httpx2
import pytest

from tests.support.inference.behaviours import content_events, fails, resets, streams
from tests.support.inference.gateway import Accounts
from tests.support.inference.upstream import FakeUpstream
from tests.support.inference.wire import IMAGE, chat, events_of, refused

LAB, SECOND = "/lab/v1/chat/completions", "/second/v1/chat/completions"


def asked(upstream: FakeUpstream) -> list[tuple[str, str]]:
    """Path and model of each request, in order."""
    return [(received.path, received.body["model"]) for received in upstream.requests]


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(
    "failure", [fails(500), fails(429), fails(401), fails(404), resets()], ids=["500", "429", "401", "404", "reset"]
)
async def test_the_next_model_serves_when_the_first_fails(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, failure: Any, streamed: bool
) -> None:
    account = await accounts.account()
    upstream.will(failure, failure)

    response = await chat(client, account, models=["second-chat"], route="fallback", stream=streamed)

    assert response.status_code == 200
    expected = [(LAB, "upstream-lab-chat")] * 2 + [(SECOND, "upstream-second-chat")]
    assert asked(upstream) == expected
    assert not any({"models", "route"} & set(received.body) for received in upstream.requests)
    usage = (await accounts.entry(account.tenant))["usage"]
    assert (usage["model"], usage["provider"]) == ("second-chat", "second")
    assert await accounts.assert_balanced(account) == 11 * 50 + 7 * 150


async def test_the_second_route_of_a_model_serves_when_the_first_fails(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account()
    upstream.will(fails(503), fails(503))

    assert (await chat(client, account, model="two-routes")).status_code == 200

    assert asked(upstream) == [(LAB, "first-name")] * 2 + [(SECOND, "second-name")]
    usage = (await accounts.entry(account.tenant))["usage"]
    assert (usage["provider"], usage["upstream_id"]) == ("second", "second-name")


@pytest.mark.parametrize("first", ["dead-chat", "keyless-chat"])
async def test_a_model_that_nobody_serves_gives_way_to_the_next(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, first: str
) -> None:
    account = await accounts.account()

    assert (await chat(client, account, model=first, models=["lab-chat"])).status_code == 200

    assert asked(upstream) == [(LAB, "upstream-lab-chat")]
    assert (await accounts.entry(account.tenant))["usage"]["model"] == "lab-chat"


async def test_a_model_under_maintenance_gives_way_to_the_next(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account()

    assert (await chat(client, account, model="kimi-k2.5-fast", models=["lab-chat"])).status_code == 200

    assert asked(upstream) == [(LAB, "upstream-lab-chat")]


async def test_when_all_fail_the_call_is_503_and_free(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account()
    upstream.will(*[fails(500)] * 6)

    refused(await chat(client, account, model="two-routes", models=["lab-free"]), 503, "provider_error")

    assert [path for path, _ in asked(upstream)] == [LAB, LAB, SECOND, SECOND, LAB, LAB]
    await accounts.assert_untouched(account)


async def test_what_the_caller_must_mend_ends_the_search(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account()
    upstream.will(fails(500), fails(400))

    refused(await chat(client, account, model="two-routes", models=["second-chat"]), 400, "invalid_request_error")

    assert len(upstream.requests) == 2
    await accounts.assert_untouched(account)


async def test_after_the_first_byte_nobody_else_is_asked(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account()
    upstream.will(streams(content_events()[:2], breaks=True))

    response = await chat(client, account, model="two-routes", models=["second-chat"], stream=True)

    assert len(upstream.requests) == 1
    assert events_of(response.content)[-1]["error"]["code"] == "provider_error"


async def test_the_hold_covers_the_dearest_of_the_models(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account()
    upstream.will(fails(500), fails(500))

    assert (await chat(client, account, models=["lab-dear"], max_tokens=1000)).status_code == 200

    assert (await accounts.entry(account.tenant))["held"][0] >= 1000 * 3000
    assert await accounts.assert_balanced(account) == 11 * 1000 + 7 * 3000


async def test_a_limit_of_ours_fits_the_fallback_model(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account()
    upstream.will(fails(500), fails(500))

    assert (await chat(client, account, models=["lab-small"])).status_code == 200

    assert [received.body["max_tokens"] for received in upstream.requests] == [16_384, 16_384, 512]


async def test_a_model_named_twice_is_tried_once(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account()
    upstream.will(fails(500), fails(500))

    refused(await chat(client, account, models=["lab-chat", "lab-chat"]), 503, "provider_error")

    assert len(upstream.requests) == 2


@pytest.mark.parametrize(("model", "fallback"), [("lab-eyes", "lab-chat"), ("lab-chat", "lab-eyes")])
async def test_a_blind_model_is_left_out_while_another_sees(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, model: str, fallback: str
) -> None:
    account = await accounts.account()
    image = [{"role": "user", "content": [IMAGE]}]

    answer = await chat(client, account, model=model, models=[fallback], route="fallback", messages=image)

    assert answer.status_code == 200
    assert answer.headers.get("x-callmissed-model", model) == "lab-eyes"
