"""Images from admission to settlement: what the caller gets, what it costs, and what the history has of it."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import httpx2
import pytest
from openai import AsyncOpenAI

from callmissed.keys.secret import Mode
from callmissed.money import CREDIT
from callmissed_ai.dialects.openai_images.base64_pieces import decoded
from callmissed_ai.providers.sandbox.images import image_size
from tests.support.inference.behaviours import breaks_mid_body, fails, ordinary, reply, says
from tests.support.inference.gateway import Account, Accounts, ServedGateway
from tests.support.inference.image_objects import JPEG, base64_of, images_reply, png
from tests.support.inference.upstream import FakeUpstream, Gate, until
from tests.support.inference.wire import HISTORY, draw, refused

PRICE = 5 * CREDIT // 2
NO_IMAGES: Mapping[str, Any] = {"created": 1, "data": []}


async def history(client: httpx2.AsyncClient, account: Account, **params: Any) -> dict[str, Any]:
    response = await client.get(HISTORY, params=params, headers=account.headers)
    assert response.status_code == 200, response.text
    return response.json()


async def test_images_cost_their_price_each_and_are_in_the_history(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, gateway: ServedGateway
) -> None:
    account = await accounts.account()
    upstream.will(reply(images_reply(png(1), JPEG, revised_prompt="at dusk")))

    response = await draw(client, account, n=2, size="512x768", user="u1")

    assert response.status_code == 200, response.text
    assert upstream.only.path == "/lab/v1/images/generations"
    assert upstream.only.body == {
        "model": "upstream-image",
        "prompt": "A lighthouse",
        "n": 2,
        "size": "512x768",
        "user": "u1",
        "response_format": "b64_json",
    }
    assert response.json()["data"] == [
        {"b64_json": base64_of(png(1)), "revised_prompt": "at dusk"},
        {"b64_json": base64_of(JPEG), "revised_prompt": "at dusk"},
    ]
    entry = await accounts.entry(account.tenant)
    assert entry["held"][0] == entry["amount"] == await accounts.assert_balanced(account) == 2 * PRICE
    assert entry["usage"]["lines"] == [{"unit": "images", "quantity": 2, "price": PRICE, "per": 1}]
    page = await history(client, account)
    newest, oldest = page["data"]
    assert page["next_cursor"] is None
    assert (gateway.image_objects.behind(newest["url"]), gateway.image_objects.behind(oldest["url"])) == (JPEG, png(1))
    assert newest["url"].startswith(f"memory://{account.tenant}/{account.key_id}/{newest['id']}.jpg")
    assert newest["created"] > oldest["created"]
    shared = {name: newest[name] for name in ("model", "size", "prompt", "negative_prompt", "seed", "steps")}
    assert shared == {
        "model": "lab-image",
        "size": "512x768",
        "prompt": "A lighthouse",
        "negative_prompt": None,
        "seed": None,
        "steps": None,
    }


@pytest.mark.parametrize(
    ("came", "passed"), [([png(1)], 1), ([png(1), b"<html>", png(2)], 2), ([*map(png, range(5))], 3)]
)
async def test_what_comes_is_charged_and_what_is_beyond_is_not_passed_on(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, came: list[bytes], passed: int
) -> None:
    account = await accounts.account()
    upstream.will(reply(images_reply(*came)))

    response = await draw(client, account, n=3)

    assert len(response.json()["data"]) == passed
    assert await accounts.assert_balanced(account) == passed * PRICE
    assert len((await history(client, account))["data"]) == passed


@pytest.mark.parametrize(
    ("behaviour", "status", "code"),
    [
        (reply(NO_IMAGES), 400, "content_policy_violation"),
        (fails(400, "moderation_blocked"), 400, "content_policy_violation"),
        (fails(400, "invalid_value", "size"), 400, "invalid_request_error"),
        (reply(images_reply(b"<html>")), 502, "upstream_error"),
        (says(b"<html>busy</html>"), 502, "upstream_error"),
        (breaks_mid_body(), 503, "provider_error"),
    ],
)
async def test_call_without_images_costs_nothing(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, behaviour: Any, status: int, code: str
) -> None:
    account = await accounts.account(budget=10**9)
    upstream.will(behaviour)

    refused(await draw(client, account), status, code)

    assert await accounts.assert_balanced(account) == 0
    assert (await accounts.key_item(account.secret))["kb"] == 10**9
    assert (await history(client, account))["data"] == []


async def test_url_leads_to_the_image(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, gateway: ServedGateway
) -> None:
    account = await accounts.account()

    (image,) = (await draw(client, account, response_format="url")).json()["data"]

    assert gateway.image_objects.behind(image["url"]) == png(0)
    assert "b64_json" not in image
    assert (await history(client, account))["data"][0]["url"] == image["url"]
    assert await accounts.assert_balanced(account) == PRICE


async def test_without_storage_bytes_are_charged_and_urls_are_refused(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, gateway: ServedGateway
) -> None:
    account = await accounts.account()
    gateway.image_objects.failing = True
    try:
        drawn = await draw(client, account)
        refused(await draw(client, account, response_format="url"), 503, "service_unavailable")
    finally:
        gateway.image_objects.failing = False

    assert drawn.json()["data"][0]["b64_json"] == base64_of(png(0))
    assert await accounts.assert_balanced(account) == PRICE
    assert (await history(client, account))["data"] == []


@pytest.mark.parametrize("form", ["b64_json", "url"])
async def test_replay_has_the_same_bytes_and_costs_nothing(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, form: str
) -> None:
    account = await accounts.account()
    again = {"Idempotency-Key": f"images-{form}"}

    first, second = [await draw(client, account, again, response_format=form) for _ in range(2)]

    assert first.status_code == 200
    assert (second.content, second.headers["idempotent-replayed"]) == (first.content, "true")
    assert len(upstream.requests) == len((await history(client, account))["data"]) == 1
    assert await accounts.assert_balanced(account) == PRICE


async def test_history_is_read_page_by_page_by_its_own_key_alone(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account()
    other = await accounts.key(account.tenant)
    for number in range(2):
        assert (await draw(client, account, n=4, prompt=f"number {number}", seed=None)).status_code == 200

    found, cursor = list[dict[str, Any]](), {}
    for size in (3, 3, 2):
        page = await history(client, account, limit=3, **cursor)
        assert len(page["data"]) == size
        found += page["data"]
        cursor = {"before": page["next_cursor"]}

    assert cursor == {"before": None}
    assert len({each["id"] for each in found}) == 8
    assert [each["prompt"] for each in found] == ["number 1"] * 4 + ["number 0"] * 4
    assert (await history(client, account, before="2026-01-01T00:00:00+00:00"))["data"] == []
    foreign = await client.get(HISTORY, headers={"Authorization": f"Bearer {other.secret}"})
    assert foreign.json() == {"data": [], "next_cursor": None}


@pytest.mark.parametrize(
    ("params", "param"),
    [({"before": "yesterday"}, "before"), ({"before": "2026-11-20T09:00:00"}, "before"), ({"limit": 101}, "limit")],
)
async def test_bad_page_is_refused(
    client: httpx2.AsyncClient, accounts: Accounts, params: dict[str, Any], param: str
) -> None:
    account = await accounts.account()

    response = await client.get(HISTORY, params=params, headers=account.headers)

    refused(response, 400, "invalid_request_error")
    assert param in response.text


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"prompt": ""}, "prompt"),
        ({"prompt": "\u200b\x00"}, "prompt"),
        ({"prompt": " \n"}, "prompt"),
        ({"prompt": "x" * 4_001}, "prompt"),
        ({"n": 0}, "n"),
        ({"n": 5}, "n"),
        ({"n": 1.0}, "n"),
        ({"size": "63x64"}, "size"),
        ({"size": "4097x64"}, "size"),
        ({"size": "auto"}, "size"),
        ({"steps": 51}, "steps"),
        ({"seed": -1}, "seed"),
        ({"response_format": "png"}, "response_format"),
        ({"quality": "hd"}, "quality"),
        ({"style": "vivid"}, "style"),
        ({"background": "transparent"}, "background"),
        ({"output_format": "webp"}, "output_format"),
        ({"negative_prompt": "fog"}, "negative_prompt"),
        ({"model": "gemini-image", "steps": 4}, "steps"),
        ({"model": "lab-chat"}, "model"),
    ],
)
async def test_bad_request_is_refused_by_the_name_of_its_field(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, fields: Mapping[str, Any], param: str
) -> None:
    account = await accounts.account()

    refused(await draw(client, account, **fields), 400, "invalid_request_error", param=param)

    assert upstream.requests == []
    await accounts.assert_untouched(account)


async def test_provider_that_draws_one_at_a_time_is_asked_for_each(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account()
    drawn = {"content": {"parts": [{"inlineData": {"mimeType": "image/png", "data": base64_of(png(7))}}]}}
    upstream.will(reply({"candidates": [drawn]}), reply({"candidates": [{"finishReason": "IMAGE_SAFETY"}]}))

    response = await draw(client, account, model="gemini-image", n=2)

    assert [each["b64_json"] for each in response.json()["data"]] == [base64_of(png(7))]
    assert await accounts.assert_balanced(account) == PRICE


async def test_wallet_for_three_images_draws_three_however_many_ask(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account(credits=3 * PRICE / CREDIT)
    gate, served, callers = Gate(), 3, 20
    upstream.otherwise = reply(images_reply(png()), gate=gate)
    try:
        calls = [asyncio.create_task(draw(client, account)) for _ in range(callers)]
        await until(lambda: sum(call.done() for call in calls) >= callers - served)
        gate.open()
        responses = await asyncio.gather(*calls)
    finally:
        upstream.otherwise = ordinary
    for response in responses:
        if response.status_code != 200:
            refused(response, 402, "insufficient_credits")

    assert [response.status_code for response in responses].count(200) == len(upstream.requests) == served
    assert await accounts.assert_balanced(account) == served * PRICE


async def test_test_key_gets_the_sandboxes_images_for_nothing_and_has_a_history(
    client: httpx2.AsyncClient, accounts: Accounts
) -> None:
    account = await accounts.account(mode=Mode.TEST)

    response = await draw(client, account, size="96x64", n=2)

    drawn = [decoded(each["b64_json"]) for each in response.json()["data"]]
    assert response.headers["x-callmissed-engine"] == "pillow"
    assert [image_size(each) for each in drawn] == [("PNG", 96, 64)] * 2
    assert drawn[0] != drawn[1]
    assert len((await history(client, account))["data"]) == 2
    refused(await draw(client, account, prompt="sandbox:filtered"), 400, "content_policy_violation", param="prompt")
    refused(await draw(client, account, prompt="sandbox:rate_limit"), 429, "rate_limit_exceeded")


async def test_official_sdk_draws(accounts: Accounts, gateway: ServedGateway) -> None:
    account = await accounts.account(mode=Mode.TEST)
    async with AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key=account.secret, max_retries=0) as sdk:
        images = await sdk.images.generate(
            model="sandbox-image", prompt="A lighthouse", size="64x64", extra_body={"seed": 7, "steps": 4}
        )

    assert images.data
    assert image_size(decoded(images.data[0].b64_json or "")) == ("PNG", 64, 64)
    assert json.loads(images.model_dump_json())["created"] > 0
