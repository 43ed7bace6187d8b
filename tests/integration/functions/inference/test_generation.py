"""GET /v1/generation: what a past call of the tenant used and cost."""

from typing import Any

import httpx2
import pytest

from callmissed.clock import Micros, iso
from callmissed.ids import new_call_id
from callmissed.keys.secret import Mode
from tests.support.inference.behaviours import (
    SECRET_TEXT,
    USAGE,
    completion,
    content_events,
    fails,
    reply,
    resets,
    streams,
)
from tests.support.inference.gateway import Account, Accounts
from tests.support.inference.upstream import FakeUpstream
from tests.support.inference.wire import chat, refused


async def ask(client: httpx2.AsyncClient, account: Account, id: str) -> httpx2.Response:
    return await client.get("/v1/generation", params={"id": id}, headers=account.headers)


async def test_everything_about_a_call(client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream) -> None:
    account = await accounts.account()
    usage = USAGE | {"prompt_tokens": 1000, "prompt_tokens_details": {"cached_tokens": 400, "cache_write_tokens": 100}}
    upstream.will(reply(completion(usage=usage)))
    call = await chat(client, account)

    generation: dict[str, Any] = (await ask(client, account, call.headers["x-generation-id"])).json()["data"]

    entry = await accounts.entry(account.tenant)
    assert generation == {
        "id": call.headers["x-generation-id"],
        "request_id": call.headers["x-request-id"],
        "model": "lab-chat",
        "provider": "lab",
        "upstream_model": "upstream-lab-chat",
        "tries": [{"provider": "lab", "model": "lab-chat", "outcome": "served"}],
        "created_at": iso(entry["created"]),
        "streamed": False,
        "outcome": "completed",
        "tokens_prompt": 1000,
        "tokens_cached": 400,
        "tokens_cache_write": 100,
        "tokens_completion": 7,
        "tokens_estimated": False,
        "units": {},
        "cost_credits": (600 * 50 + 400 * 10 + 7 * 150) / 1_000_000,
        "price_version": entry["usage"]["price_version"],
        "latency_ms": entry["usage"]["latency_ms"],
        "first_byte_ms": entry["usage"]["first_byte_ms"],
        "sandbox": False,
    }
    assert 0 <= generation["first_byte_ms"] <= generation["latency_ms"]


async def test_a_broken_stream_has_the_outcome_broke(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account()
    upstream.will(streams(content_events()[:2], breaks=True))
    call = await chat(client, account, stream=True)

    generation = (await ask(client, account, call.headers["x-generation-id"])).json()["data"]

    assert (generation["outcome"], generation["streamed"], generation["tokens_estimated"]) == (
        "upstream_broke",
        True,
        True,
    )
    assert generation["cost_credits"] > 0


@pytest.mark.parametrize("streamed", [False, True])
async def test_who_served_and_which_tries_failed(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, streamed: bool
) -> None:
    account = await accounts.account()
    upstream.will(fails(429), resets(), fails(503), fails(401))

    call = await chat(client, account, model="two-routes", models=["lab-free"], stream=streamed)

    assert call.status_code == 200
    assert (call.headers["x-callmissed-provider"], call.headers["x-callmissed-model"]) == ("lab", "lab-free")
    generation = (await ask(client, account, call.headers["x-generation-id"])).json()["data"]
    assert (generation["provider"], generation["upstream_model"]) == ("lab", "upstream-lab-free")
    assert [tuple(each.values()) for each in generation["tries"]] == [
        ("lab", "two-routes", "429"),
        ("lab", "two-routes", "no_reply"),
        ("second", "two-routes", "503"),
        ("second", "two-routes", "401"),
        ("lab", "lab-free", "served"),
    ]
    assert SECRET_TEXT not in str(generation)


async def test_model_asked_for_is_not_named_again(client: httpx2.AsyncClient, accounts: Accounts) -> None:
    call = await chat(client, await accounts.account(), model="lab-chat:nitro")

    assert call.headers["x-callmissed-provider"] == "lab"
    assert "x-callmissed-model" not in call.headers


async def test_a_sandbox_call_is_shown_as_free(client: httpx2.AsyncClient, accounts: Accounts) -> None:
    account = await accounts.account(mode=Mode.TEST)
    call = await chat(client, account)

    generation = (await ask(client, account, call.headers["x-generation-id"])).json()["data"]

    assert (generation["sandbox"], generation["cost_credits"], generation["provider"]) == (True, 0, "sandbox")


async def test_the_request_id_and_another_key_of_the_tenant_work_too(
    client: httpx2.AsyncClient, accounts: Accounts
) -> None:
    account = await accounts.account()
    call = await chat(client, account)
    other = await accounts.key(account.tenant, permissions=frozenset({"stt"}))

    for id in (call.headers["x-request-id"], call.headers["x-request-id"].removeprefix("req_")):
        response = await client.get("/v1/generation", params={"id": id}, headers={"x-api-key": other.secret})
        assert response.json()["data"]["id"] == call.headers["x-generation-id"]


@pytest.mark.parametrize("mode", [Mode.LIVE, Mode.TEST])
async def test_test_key_sees_no_call_of_a_live_one_nor_the_other_way_round(
    client: httpx2.AsyncClient, accounts: Accounts, mode: Mode
) -> None:
    account = await accounts.account(mode=mode)
    call = await chat(client, account)
    other = await accounts.key(account.tenant, mode=Mode.LIVE if mode is Mode.TEST else Mode.TEST)

    response = await client.get(
        "/v1/generation", params={"id": call.headers["x-generation-id"]}, headers={"x-api-key": other.secret}
    )

    refused(response, 404, "not_found", param="id")


async def test_another_tenants_call_does_not_exist(client: httpx2.AsyncClient, accounts: Accounts) -> None:
    account, stranger = await accounts.account(), await accounts.account()
    call = await chat(client, account)

    foreign = await ask(client, stranger, call.headers["x-generation-id"])
    absent = await ask(client, stranger, f"gen_{new_call_id(Micros(0), 1)}")

    errors = [refused(response, 404, "not_found", param="id") for response in (foreign, absent)]
    assert len({error["message"] for error in errors}) == 1


async def test_a_failed_call_does_not_exist(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account()
    upstream.will(fails(400))
    call = await chat(client, account)

    refused(await ask(client, account, call.headers["x-request-id"]), 404, "not_found")


async def test_a_grant_is_no_generation(client: httpx2.AsyncClient, accounts: Accounts) -> None:
    account = await accounts.account()
    (grant,) = await accounts.everything(account.tenant)

    refused(await ask(client, account, f"gen_{grant['entry']}"), 404, "not_found")


@pytest.mark.parametrize(
    "id", ["", "gen_", "x", "gen_" + "0" * 23, "gen_" + "u" * 24, "gen_" + "é" * 24, "\0", "a" * 5000, "gen_req_x", "#"]
)
async def test_a_malformed_id_is_404(client: httpx2.AsyncClient, accounts: Accounts, id: str) -> None:
    account = await accounts.account()

    refused(await ask(client, account, id), 404, "not_found", param="id")


async def test_a_missing_id_is_named(client: httpx2.AsyncClient, accounts: Accounts) -> None:
    account = await accounts.account()

    refused(await client.get("/v1/generation", headers=account.headers), 400, "invalid_request_error", param="id")


async def test_a_key_is_needed(client: httpx2.AsyncClient) -> None:
    refused(await client.get("/v1/generation", params={"id": "gen_x"}), 401, "invalid_api_key")
