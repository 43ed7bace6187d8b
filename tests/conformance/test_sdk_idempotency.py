"""The Idempotency-Key through the official SDKs, whose retries carry the headers of the first try."""

from typing import Any

import pytest

from tests.support.inference.behaviours import completion, reply
from tests.support.inference.gateway import Accounts
from tests.support.inference.upstream import FakeUpstream
from tests.support.sdks.interface import Sdk, SdkError

CREATE = "chat.completions.create"
HELLO: list[dict[str, Any]] = [{"role": "user", "content": "Hello"}]
KEYED = {"Idempotency-Key": "sdk-4711"}
COST = 11 * 50 + 7 * 150


def said(result: Any) -> dict[str, Any]:
    """The reply without the id of the request that brought it."""
    return {name: value for name, value in result.items() if name != "_request_id"}


async def test_a_call_that_is_made_twice_is_made_once(sdk: Sdk, accounts: Accounts, upstream: FakeUpstream) -> None:
    account = await accounts.account()
    upstream.will(reply(completion("only once")))
    call: dict[str, Any] = {"model": "lab-chat", "messages": HELLO, "extra_headers": KEYED}

    first, again = [sdk.call(account.secret, CREATE, **call) for _ in range(2)]

    assert said(first) == said(again)
    assert again["choices"][0]["message"]["content"] == "only once"
    assert len(upstream.requests) == 1
    assert await accounts.assert_balanced(account) == COST


async def test_another_call_with_the_key_is_a_conflict(sdk: Sdk, accounts: Accounts, upstream: FakeUpstream) -> None:
    account = await accounts.account()
    sdk.call(account.secret, CREATE, model="lab-chat", messages=HELLO, extra_headers=KEYED)

    with pytest.raises(SdkError) as raised:
        sdk.call(account.secret, CREATE, model="lab-chat", messages=HELLO * 2, extra_headers=KEYED)

    error = raised.value
    assert (error.name, error.status, error.code) == ("ConflictError", 409, "idempotency_conflict")
    assert len(upstream.requests) == 1


async def test_the_sdks_own_retry_runs_what_failed(sdk: Sdk, accounts: Accounts, upstream: FakeUpstream) -> None:
    account = await accounts.account()
    fails = reply({"error": {"message": "No", "type": "server_error"}}, 503)
    upstream.will(fails, fails, reply(completion("at last")))  # two tries of ours are one of the caller's

    result = sdk.call(account.secret, CREATE, retries=1, model="lab-chat", messages=HELLO, extra_headers=KEYED)

    assert result["choices"][0]["message"]["content"] == "at last"
    assert await accounts.assert_balanced(account) == COST
