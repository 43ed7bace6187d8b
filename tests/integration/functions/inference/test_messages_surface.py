"""Anthropic's surface as its SDK meets it: statuses with a class each, ids, and the plan's month as a rate limit."""

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from typing import Any

import anthropic
import httpx2
import pytest

from callmissed.plans.plans import Plan
from callmissed.platform.routes import MAX_BODY_BYTES
from tests.support.inference.behaviours import content_events, fails, reply, says, streams
from tests.support.inference.gateway import Account, Accounts, ServedGateway
from tests.support.inference.messages import message, message_stream
from tests.support.inference.upstream import Behaviour, FakeUpstream

HELLO: list[Any] = [{"role": "user", "content": "Hello"}]
LIMIT = "anthropic-ratelimit-requests-limit"
REMAINING = "anthropic-ratelimit-requests-remaining"
RESET = "anthropic-ratelimit-requests-reset"


@pytest.fixture
async def sdk(gateway: ServedGateway) -> AsyncIterator[anthropic.AsyncAnthropic]:
    async with anthropic.AsyncAnthropic(base_url=gateway.url, api_key="unset", max_retries=0) as sdk:
        yield sdk


async def raised(sdk: anthropic.AsyncAnthropic, account: Account, **fields: Any) -> anthropic.APIStatusError:
    """The error of a call, which has one id in all its places."""
    asked: dict[str, Any] = {"model": "lab-chat", "max_tokens": 50, "messages": HELLO, **fields}
    with pytest.raises(anthropic.APIStatusError) as error:
        await sdk.with_options(api_key=account.secret).messages.create(**asked)
    body: Any = error.value.body
    assert body["request_id"] == error.value.request_id == error.value.response.headers["x-request-id"]
    return error.value


def shown(error: anthropic.APIStatusError) -> tuple[type, int, str | None]:
    return type(error), error.status_code, error.type


async def test_refusals_have_a_class_each(sdk: anthropic.AsyncAnthropic, accounts: Accounts) -> None:
    rich, poor, slow = await accounts.account(), await accounts.account(credits=0), await accounts.account(rpm=1)
    free, deaf = await accounts.account(plan=Plan.FREE), await accounts.account(permissions=frozenset({"stt"}))
    long: list[Any] = [{"role": "user", "content": "a" * MAX_BODY_BYTES}]
    await sdk.with_options(api_key=slow.secret).messages.create(model="lab-chat", max_tokens=5, messages=HELLO)

    found = {
        "field": await raised(sdk, rich, max_tokens=0),
        "poor": await raised(sdk, poor),
        "plan": await raised(sdk, free),
        "permission": await raised(sdk, deaf),
        "model": await raised(sdk, rich, model="nothing"),
        "size": await raised(sdk, rich, messages=long),
        "rate": await raised(sdk, slow),
    }

    assert {name: shown(error) for name, error in found.items()} == {
        "field": (anthropic.BadRequestError, 400, "invalid_request_error"),
        "poor": (anthropic.PaymentRequiredError, 402, "billing_error"),
        "plan": (anthropic.PermissionDeniedError, 403, "permission_error"),
        "permission": (anthropic.PermissionDeniedError, 403, "permission_error"),
        "model": (anthropic.NotFoundError, 404, "not_found_error"),
        "size": (anthropic.ContentTooLargeError, 413, "request_too_large"),
        "rate": (anthropic.RateLimitError, 429, "rate_limit_error"),
    }
    assert 1 <= int(found["rate"].response.headers["retry-after"]) <= 60


async def test_failures_of_providers_have_a_class_each(
    sdk: anthropic.AsyncAnthropic, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account()
    dead = await raised(sdk, account, model="dead-chat")
    upstream.will(fails(429), fails(429))
    limited = await raised(sdk, account)
    upstream.will(says(b"<html>"))
    unusable = await raised(sdk, account)

    overloaded = (anthropic.OverloadedError, 529, "overloaded_error")
    assert (shown(dead), shown(limited)) == (overloaded, overloaded)
    assert dead.response.headers["retry-after"] == "5"
    assert shown(unusable) == (anthropic.InternalServerError, 502, "api_error")


async def test_sdk_retries_what_is_overloaded(
    gateway: ServedGateway, accounts: Accounts, upstream: FakeUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = await accounts.account()
    upstream.will(fails(500), fails(500), reply(message()))
    async with anthropic.AsyncAnthropic(base_url=gateway.url, api_key=account.secret, max_retries=1) as sdk:
        monkeypatch.setattr(sdk, "_sleep_for_retry", _no_sleep)

        answer = await sdk.messages.create(model="claude-chat", max_tokens=50, messages=HELLO)

    assert answer.content[0].type == "text"
    assert len(upstream.requests) == 3


async def _no_sleep(**_options: Any) -> None:
    return


async def test_another_body_under_a_key_is_a_conflict(sdk: anthropic.AsyncAnthropic, accounts: Accounts) -> None:
    account, key = await accounts.account(), {"Idempotency-Key": "once"}
    client = sdk.with_options(api_key=account.secret)
    await client.messages.create(model="lab-chat", max_tokens=5, messages=HELLO, extra_headers=key)

    error = await raised(sdk, account, extra_headers=key)

    assert shown(error) == (anthropic.ConflictError, 409, "conflict_error")


BROKEN: Mapping[str, Behaviour] = {
    "lab-chat": streams(content_events()[:2], breaks=True),
    "claude-chat": streams(message_stream(message())[:4], breaks=True),
}


@pytest.mark.parametrize("model", BROKEN)
async def test_broken_stream_says_that_it_may_be_retried(
    sdk: anthropic.AsyncAnthropic, accounts: Accounts, upstream: FakeUpstream, model: str
) -> None:
    account = await accounts.account()
    upstream.will(BROKEN[model])
    client = sdk.with_options(api_key=account.secret)

    with pytest.raises(anthropic.APIStatusError) as error:
        async with client.messages.stream(model=model, max_tokens=50, messages=HELLO) as stream:
            await stream.get_final_message()

    assert error.value.type == "overloaded_error"
    await accounts.assert_balanced(account)


async def test_replies_carry_their_id_and_the_months_rest(
    sdk: anthropic.AsyncAnthropic, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account()
    client = sdk.with_options(api_key=account.secret)
    asked: dict[str, Any] = {"model": "lab-chat", "max_tokens": 50, "messages": HELLO}
    whole = await client.messages.with_raw_response.create(**asked)
    async with client.messages.stream(**asked) as stream:
        await stream.get_final_message()
        streamed, streamed_id = stream.response, stream.request_id

    assert (await whole.parse())._request_id == whole.headers["x-request-id"]
    assert streamed_id == streamed.headers["x-request-id"]
    assert [answer.headers[REMAINING] for answer in (whole, streamed)] == ["49999", "49998"]
    assert {answer.headers[LIMIT] for answer in (whole, streamed)} == {"50000"}
    reset = datetime.fromisoformat(whole.headers[RESET])
    assert (reset.day, reset.hour, reset.tzinfo) == (1, 0, UTC)
    assert reset > datetime.now(UTC)


async def test_other_surfaces_and_unlimited_plans_lack_those_headers(
    client: httpx2.AsyncClient, accounts: Accounts
) -> None:
    unlimited, account = await accounts.account(plan=Plan.ENTERPRISE), await accounts.account()
    body = {"model": "lab-chat", "max_tokens": 50, "messages": HELLO}
    messages = await client.post("/v1/messages", json=body, headers=unlimited.headers)
    chat = await client.post("/v1/chat/completions", json=body, headers=account.headers)

    assert (messages.status_code, chat.status_code) == (200, 200)
    assert not [name for name in [*messages.headers, *chat.headers] if name.startswith("anthropic-")]
    assert "request-id" in messages.headers
    assert "request-id" not in chat.headers
