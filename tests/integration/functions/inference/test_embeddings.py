"""Embeddings from admission to settlement: what the upstream is asked, what the caller gets, and what it costs."""

import base64
import struct
from typing import Any

import httpx2
import openai
import pytest

from callmissed.aws.database import Database
from callmissed.clock import system_clock
from callmissed.ids import new_call_id
from callmissed.keys.secret import Mode
from callmissed.ledger.holds import Ledger
from callmissed.ledger.wallet import NO_QUOTA
from callmissed.money import MicroCredits
from callmissed.plans.plans import Plan
from callmissed_ai.calls.call import HOLD_MINUTES
from callmissed_ai.tokens import counting
from tests.support.inference.behaviours import EMBEDDING_USAGE, breaks_mid_body, fails, reply, says, vectors
from tests.support.inference.gateway import Accounts, ServedGateway
from tests.support.inference.upstream import FakeUpstream
from tests.support.inference.wire import chat, embed, refused

PRICE = 50
REPORTED = 8 * PRICE
KEY = {"Idempotency-Key": "vectors-4711"}


async def test_call_is_passed_on_and_charged_by_reported_tokens(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account()

    response = await embed(client, account, user="u-1", x_unknown={"kept": True})

    assert response.status_code == 200
    assert response.json() == vectors(2)
    assert upstream.only.path == "/lab/v1/embeddings"
    assert upstream.only.body == {
        "model": "upstream-lab-embedding",
        "input": ["Hello", "there"],
        "encoding_format": "float",
        "user": "u-1",
        "x_unknown": {"kept": True},
    }
    entry = await accounts.entry(account.tenant)
    assert entry["amount"] == await accounts.assert_balanced(account) == REPORTED
    assert entry["usage"]["service"] == "embedding"
    assert entry["usage"]["lines"] == [
        {"unit": "input_tokens", "quantity": 8, "price": PRICE * 1_000_000, "per": 1_000_000}
    ]
    assert "estimated" not in entry["usage"]


@pytest.mark.parametrize(
    ("value", "tokens"),
    [("Hello there", counting.count_text("Hello there")), ([1, 2, 3], 3), ([[1, 2], [3]], 3)],
    ids=["text", "tokens", "token lists"],
)
async def test_tokens_are_counted_where_none_are_reported(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, value: Any, tokens: int
) -> None:
    account = await accounts.account()
    upstream.will(reply(vectors(2 if value == [[1, 2], [3]] else 1, usage=None)))

    assert (await embed(client, account, input=value)).status_code == 200

    entry = await accounts.entry(account.tenant)
    assert entry["usage"]["estimated"] is True
    assert entry["amount"] == await accounts.assert_balanced(account) == tokens * PRICE


async def test_explicit_zero_stays_zero(client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream) -> None:
    account = await accounts.account()
    upstream.will(reply(vectors(2, usage={"prompt_tokens": 0})))

    assert (await embed(client, account)).status_code == 200

    assert await accounts.assert_balanced(account) == 0
    assert len(await accounts.entries(account.tenant)) == 1


async def test_base64_is_float32_whatever_the_upstream_sends(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account()

    response = await embed(client, account, input="Hello", encoding_format="base64")

    packed = base64.b64decode(response.json()["data"][0]["embedding"])
    assert struct.unpack("<4f", packed) == (1.0, 0.5, -0.25, 0.0)
    assert upstream.only.body["encoding_format"] == "float"


async def test_vectors_come_in_the_order_of_the_inputs(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account()
    shuffled = vectors(3)
    upstream.will(reply(shuffled | {"data": shuffled["data"][::-1]}))

    response = await embed(client, account, input=["a", "b", "c"])

    assert [vector["index"] for vector in response.json()["data"]] == [0, 1, 2]
    assert response.json() == vectors(3)


@pytest.mark.parametrize(
    "upstream_reply",
    [
        reply(vectors(1)),
        reply(vectors(3)),
        reply({"object": "list"}),
        reply({"error": {"message": "no"}}),
        reply("[]"),
        says(b"<html>"),
        reply(vectors(2) | {"more": float("nan")}),
        reply(vectors(2) | {"more": float("inf")}),
    ],
    ids=["too few", "too many", "no data", "an error", "no object", "no JSON", "NaN", "Infinity"],
)
async def test_unusable_reply_is_502_and_costs_nothing(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, upstream_reply: Any
) -> None:
    account = await accounts.account(budget=10**9)
    upstream.will(upstream_reply)

    refused(await embed(client, account), 502, "upstream_error")

    await accounts.assert_untouched(account)
    assert (await accounts.key_item(account.secret))["kb"] == 10**9


async def test_upstream_that_breaks_off_is_503_and_costs_nothing(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account()
    upstream.will(breaks_mid_body())

    refused(await embed(client, account), 503, "provider_error")

    await accounts.assert_untouched(account)


async def test_upstream_that_fails_is_tried_again(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account()
    upstream.will(fails(500))

    assert (await embed(client, account)).status_code == 200

    assert len(upstream.requests) == 2
    assert await accounts.assert_balanced(account) == REPORTED


async def test_upstreams_refusal_is_400_in_our_words(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account()
    upstream.will(fails(400, param="input"))

    refused(await embed(client, account), 400, "invalid_request_error", param="input")

    await accounts.assert_untouched(account)


async def test_input_that_is_too_long_is_named(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account()
    upstream.will(fails(400, "context_length_exceeded", "messages"))

    refused(await embed(client, account), 400, "context_length_exceeded", param="input")


@pytest.mark.parametrize(
    ("fields", "status", "code", "param"),
    [
        ({"input": []}, 400, "invalid_request_error", "input"),
        ({"input": ["a"] * 129}, 400, "invalid_request_error", "input"),
        ({"dimensions": 5}, 400, "invalid_request_error", "dimensions"),
        ({"encoding_format": "int8"}, 400, "invalid_request_error", "encoding_format"),
        ({"model": "lab-chat"}, 400, "invalid_request_error", "model"),
        ({"model": "no-such-model"}, 404, "model_not_found", "model"),
    ],
)
async def test_wrong_request_is_refused_before_the_upstream(
    client: httpx2.AsyncClient,
    accounts: Accounts,
    upstream: FakeUpstream,
    fields: dict[str, Any],
    status: int,
    code: str,
    param: str,
) -> None:
    account = await accounts.account()

    refused(await embed(client, account, **fields), status, code, param=param)

    assert upstream.requests == []
    await accounts.assert_untouched(account)


async def test_embedding_model_cannot_chat(client: httpx2.AsyncClient, accounts: Accounts) -> None:
    account = await accounts.account()

    refused(await chat(client, account, model="lab-embedding"), 400, "invalid_request_error", param="model")
    await accounts.assert_untouched(account)


async def test_dimensions_are_asked_for_and_checked(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account()

    assert (await embed(client, account, dimensions=4)).status_code == 200
    assert upstream.only.body["dimensions"] == 4
    refused(await embed(client, account, dimensions=2), 502, "upstream_error")


async def test_no_quota_counts_the_call_and_none_stops_it(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account()
    before = await accounts.change_wallet(account.tenant, q_llm=0)

    response = await embed(client, account)

    assert response.status_code == 200
    assert "x-quota-limit" not in response.headers
    after = await accounts.wallet(account.tenant)
    assert {name: value for name, value in after.items() if name.startswith("q_")} == {
        name: value for name, value in before.items() if name.startswith("q_")
    }


async def test_failed_call_leaves_quotas_alone(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account()
    upstream.will(fails(400))

    refused(await embed(client, account), 400, "invalid_request_error")

    await accounts.assert_untouched(account)


async def test_hold_of_a_process_that_died_is_swept(accounts: Accounts) -> None:
    account = await accounts.account()
    ledger = Ledger(Database(accounts.dynamodb, accounts.stage))
    await ledger.hold(account.tenant, new_call_id(system_clock(), HOLD_MINUTES), NO_QUOTA, MicroCredits(5_000))

    await accounts.sweep()

    wallet = await accounts.wallet(account.tenant)
    assert (wallet["av"], wallet["h"]) == (account.before["av"], {})
    assert {name: wallet[name] for name in wallet if name.startswith("q_")} == {
        name: account.before[name] for name in account.before if name.startswith("q_")
    }


async def test_credits_and_key_budget_hold(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    poor, bounded = await accounts.account(credits=0), await accounts.account(budget=10)

    refused(await embed(client, poor), 402, "insufficient_credits")
    refused(await embed(client, bounded), 402, "budget_exceeded")

    assert upstream.requests == []


async def test_free_plan_may_use_the_built_in_rows(client: httpx2.AsyncClient, accounts: Accounts) -> None:
    account = await accounts.account(plan=Plan.FREE)

    response = await embed(client, account, model="sandbox-embedding", dimensions=16)

    assert response.status_code == 200
    assert response.json()["model"] == "hashed-ngrams"
    assert len(response.json()["data"][1]["embedding"]) == 16
    refused(await embed(client, account), 403, "model_not_available")


async def test_test_key_gets_vectors_of_the_models_size_from_the_sandbox(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account(mode=Mode.TEST)

    response = await embed(client, account, model="text-embedding-3-small")

    assert response.headers["x-callmissed-sandbox"] == "true"
    assert {len(vector["embedding"]) for vector in response.json()["data"]} == {1536}
    assert upstream.requests == []


async def test_idempotency_key_runs_and_charges_once(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account()

    first, second = [await embed(client, account, KEY) for _ in range(2)]

    assert second.headers["idempotent-replayed"] == "true"
    assert second.content == first.content
    assert len(upstream.requests) == 1
    assert await accounts.assert_balanced(account) == REPORTED
    refused(await embed(client, account, KEY, input="another"), 409, "idempotency_conflict")


async def test_generation_has_tokens_and_cost(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account()
    call = await embed(client, account)

    params = {"id": call.headers["x-generation-id"]}
    generation = (await client.get("/v1/generation", params=params, headers=account.headers)).json()["data"]

    assert (generation["model"], generation["tokens_prompt"], generation["tokens_completion"]) == (
        "lab-embedding",
        8,
        0,
    )
    assert generation["cost_credits"] == REPORTED / 1_000_000


@pytest.mark.parametrize("model", ["lab-embedding", "sdk-embedding"])
async def test_official_sdk_decodes_the_base64_that_it_asks_for(
    gateway: ServedGateway, accounts: Accounts, upstream: FakeUpstream, model: str
) -> None:
    account = await accounts.account()
    async with openai.AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key=account.secret, max_retries=0) as sdk:
        made = await sdk.embeddings.create(model=model, input=["Hello", "there"])
        plain = await sdk.embeddings.create(model=model, input=[1, 2, 3], encoding_format="float")

    assert [vector.embedding for vector in made.data] == [[1.0, 0.5, -0.25, 0.0], [1.0, 0.5, -0.25, 1.0]]
    assert made.usage.prompt_tokens == EMBEDDING_USAGE["prompt_tokens"]
    assert plain.data[0].index == 0


async def test_texts_of_one_request_each_are_one_call_with_one_price(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account()
    counted = {"x-amzn-bedrock-input-token-count": "5"}
    upstream.will(*[reply({"embedding": [1.0, 0.5, -0.25, 2.0]}, headers=counted)] * 2)

    response = await embed(client, account, model="titan-embedding", encoding_format="base64")

    assert response.status_code == 200, response.text
    assert response.json()["usage"] == {"prompt_tokens": 10, "total_tokens": 10}
    assert isinstance(response.json()["data"][1]["embedding"], str)
    assert {request.path for request in upstream.requests} == {"/vectors/model/amazon.titan-embed-text-v2:0/invoke"}
    assert upstream.requests[0].headers["authorization"].startswith("AWS4-HMAC-SHA256")
    assert await accounts.assert_balanced(account) == 10 * 50


async def test_nothing_is_charged_where_one_of_its_requests_fails(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account()
    upstream.will(*[reply({"embedding": [1.0, 0.5, -0.25, 2.0]}), fails(500)] * 2)

    refused(await embed(client, account, model="titan-embedding"), 503, "provider_error")

    await accounts.assert_untouched(account)


async def test_sandbox_takes_what_the_input_is(client: httpx2.AsyncClient, accounts: Accounts) -> None:
    account = await accounts.account()

    assert (await embed(client, account, model="sandbox-embedding", input_type="query")).status_code == 200
    refused(await embed(client, account, input_type="query"), 400, "unsupported_field", param="input_type")
