"""The Idempotency-Key through the official SDKs, whose retries carry the headers of the first try."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from callmissed.aws.dynamodb import DynamoDB
from callmissed_ai.routing import router
from local.aws.account import STAGE
from local.aws.tables import StageTables
from tests.support.inference.behaviours import completion, reply
from tests.support.inference.gateway import REGION, Accounts, gateway_at_work, settings_for
from tests.support.inference.upstream import FakeUpstream
from tests.support.local_stack import LocalStack
from tests.support.sdks.interface import Sdk, SdkError
from tests.support.sdks.opening import SDKS, sdk_at

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


@pytest.fixture(params=SDKS)
def hurried_sdk(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    stack: LocalStack,
    accounts: Accounts,
    providers_file: Path,
) -> Iterator[Sdk]:
    """An SDK at a gateway over the stack's tables that asks nobody to wait, where the stack asks for five seconds."""
    monkeypatch.setattr(router, "_RETRY_SECONDS", 0)
    store = StageTables(stack.announcement["endpoints"]["dynamodb"], STAGE)
    settings = settings_for(store, providers_file, (accounts.pepper,))
    dynamodb = DynamoDB(REGION, store.endpoint, timeout_seconds=20)
    with gateway_at_work(settings, dynamodb=dynamodb) as gateway, sdk_at(request.param, f"{gateway.url}/v1") as sdk:
        yield sdk


async def test_the_sdks_own_retry_runs_what_failed(
    hurried_sdk: Sdk, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account()
    fails = reply({"error": {"message": "No", "type": "server_error"}}, 503)
    upstream.will(fails, fails, reply(completion("at last")))  # two tries of ours are one of the caller's

    result = hurried_sdk.call(account.secret, CREATE, retries=1, model="lab-chat", messages=HELLO, extra_headers=KEYED)

    assert result["choices"][0]["message"]["content"] == "at last"
    assert await accounts.assert_balanced(account) == COST
