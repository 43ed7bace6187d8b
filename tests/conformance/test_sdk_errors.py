"""Refusals and failures become the SDKs' own exception classes."""

from typing import Any

import pytest
import pytest_asyncio

from callmissed.keys.secret import Mode, new_secret
from callmissed.plans.plans import Plan
from tests.support.inference.behaviours import SECRET_TEXT, fails, says
from tests.support.inference.gateway import Account, Accounts
from tests.support.inference.upstream import FakeUpstream
from tests.support.sdks.interface import Sdk, SdkError

CREATE = "chat.completions.create"
HELLO: list[dict[str, Any]] = [{"role": "user", "content": "Hello"}]
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
STATUS_ERROR = {"APIStatusError", "APIError"}
"""The class for a status that has none of its own: in Python, in Node."""


@pytest_asyncio.fixture(scope="session")
async def account(accounts: Accounts) -> Account:
    return await accounts.account()


def raised(sdk: Sdk, secret: str, method: str = CREATE, *arguments: Any, **params: Any) -> SdkError:
    """The error that the call raises."""
    asked: dict[str, Any] = {"model": "lab-chat", "messages": HELLO, **params} if method == CREATE else params
    with pytest.raises(SdkError) as error:
        sdk.call(secret, method, *arguments, **asked)
    assert SECRET_TEXT not in error.value.message
    assert error.value.request_id is not None
    assert error.value.request_id.startswith("req_")
    return error.value


def shown(error: SdkError) -> tuple[str, int | None, str | None]:
    return error.name, error.status, error.code


@pytest.mark.parametrize("key", ["sk-of-somebody-else", "cm_live_garbled", new_secret(Mode.LIVE)], ids=len)
@pytest.mark.parametrize("method", [CREATE, "models.list"])
def test_401_is_an_authentication_error(sdk: Sdk, base_url: str, key: str, method: str) -> None:
    assert shown(raised(sdk, key, method)) == ("AuthenticationError", 401, "invalid_api_key")


async def test_403_is_a_permission_denied_error(sdk: Sdk, accounts: Accounts) -> None:
    deaf = await accounts.account(permissions=frozenset({"stt"}))
    free = await accounts.account(plan=Plan.FREE)

    assert shown(raised(sdk, deaf.secret)) == ("PermissionDeniedError", 403, "permission_denied")
    assert shown(raised(sdk, free.secret)) == ("PermissionDeniedError", 403, "model_not_available")


@pytest.mark.parametrize(
    ("method", "arguments", "params"), [(CREATE, (), {"model": "none"}), ("models.retrieve", ("none",), {})]
)
def test_404_is_a_not_found_error(
    sdk: Sdk, account: Account, method: str, arguments: tuple[str, ...], params: dict[str, Any]
) -> None:
    error = raised(sdk, account.secret, method, *arguments, **params)

    assert shown(error) == ("NotFoundError", 404, "model_not_found")
    assert (error.type, error.param) == ("invalid_request_error", "model")


@pytest.mark.parametrize(
    ("params", "code", "param"),
    [
        ({"temperature": 9}, "invalid_request_error", "temperature"),
        ({"max_tokens": -1}, "invalid_request_error", "max_tokens"),
        ({"max_completion_tokens": 10**9}, "invalid_request_error", "max_completion_tokens"),
        ({"messages": []}, "invalid_request_error", "messages"),
        ({"messages": [{"role": "user", "content": [IMAGE]}]}, "unsupported_image_input", "messages"),
    ],
)
def test_400_is_a_bad_request_error(sdk: Sdk, account: Account, params: dict[str, Any], code: str, param: str) -> None:
    error = raised(sdk, account.secret, **params)

    assert shown(error) == ("BadRequestError", 400, code)
    assert error.param == param


def test_an_upstreams_400_is_a_bad_request_error(sdk: Sdk, account: Account, upstream: FakeUpstream) -> None:
    upstream.will(fails(400, code="context_length_exceeded"))

    assert shown(raised(sdk, account.secret)) == ("BadRequestError", 400, "context_length_exceeded")


async def test_402_is_a_status_error(sdk: Sdk, accounts: Accounts) -> None:
    poor, thrifty = await accounts.account(credits=0), await accounts.account(budget=1)

    for account, code in ((poor, "insufficient_credits"), (thrifty, "budget_exceeded")):
        error = raised(sdk, account.secret)
        assert error.name in STATUS_ERROR
        assert (error.status, error.code, error.type) == (402, code, "insufficient_quota")


async def test_429_is_a_rate_limit_error_that_says_when_to_retry(sdk: Sdk, accounts: Accounts) -> None:
    slow, spent = await accounts.account(rpm=1), await accounts.account()
    await accounts.change_wallet(spent.tenant, q_llm=0)
    sdk.call(slow.secret, CREATE, model="lab-chat", messages=HELLO)

    limited, exhausted = raised(sdk, slow.secret), raised(sdk, spent.secret)

    assert shown(limited) == ("RateLimitError", 429, "rate_limit_exceeded")
    assert shown(exhausted) == ("RateLimitError", 429, "quota_exceeded")
    assert 1 <= int(limited.retry_after or 0) <= 60
    assert int(exhausted.retry_after or 0) >= 1


@pytest.mark.parametrize(
    ("model", "behaviour", "status", "code"),
    [
        ("dead-chat", None, 503, "provider_error"),
        ("kimi-k2.5-fast", None, 503, "model_under_maintenance"),
        ("lab-chat", says(b"<html>"), 502, "upstream_error"),
    ],
)
def test_502_and_503_are_internal_server_errors(
    sdk: Sdk, account: Account, upstream: FakeUpstream, model: str, behaviour: Any, status: int, code: str
) -> None:
    upstream.will(*([behaviour] if behaviour else []))

    assert shown(raised(sdk, account.secret, model=model)) == ("InternalServerError", status, code)


def test_on_the_local_stack_a_model_without_a_key_names_the_variable(sdk: Sdk, account: Account) -> None:
    error = raised(sdk, account.secret, model="gpt-4o", retries=2)

    assert shown(error) == ("InternalServerError", 503, "provider_error")
    assert "OPENAI_API_KEY, or OPENROUTER_API_KEY, and start the stack again" in error.message


async def test_the_sdks_own_retries_wait_for_retry_after_and_succeed(
    sdk: Sdk, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account(rpm=60)  # ten at once, then one a second
    for _ in range(10):
        sdk.call(account.secret, CREATE, model="lab-chat", messages=HELLO)
    assert raised(sdk, account.secret).retry_after == "1"

    answer = sdk.call(account.secret, CREATE, model="lab-chat", messages=HELLO, retries=5)

    assert answer["choices"][0]["message"]["content"] == "Hello there"
    assert len(upstream.requests) == 11


def test_errors_of_a_streamed_call_are_the_same(sdk: Sdk, account: Account) -> None:
    with pytest.raises(SdkError) as error:
        list(sdk.stream(account.secret, model="none", messages=HELLO))

    assert shown(error.value) == ("NotFoundError", 404, "model_not_found")
