"""Suffixes, `auto`, fallbacks and preferences through the official SDKs: the names that come back, and who served."""

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import anthropic
import openai
import pytest

from tests.support.inference.behaviours import reply
from tests.support.inference.gateway import Account, Accounts, ServedGateway
from tests.support.inference.upstream import FakeUpstream

HELLO: Any = [{"role": "user", "content": "Hello"}]
Call = Callable[..., Any]


def call_of(dialect: str, url: str, account: Account) -> Call:
    """A call of a dialect, which returns the raw response."""
    if dialect == "messages":
        theirs = anthropic.Anthropic(base_url=url, api_key=account.secret, max_retries=0)
        return partial(theirs.messages.with_raw_response.create, messages=HELLO, max_tokens=50)
    ours = openai.OpenAI(base_url=f"{url}/v1", api_key=account.secret, max_retries=0)
    if dialect == "chat":
        return partial(ours.chat.completions.with_raw_response.create, messages=HELLO, max_tokens=50)
    return partial(ours.responses.with_raw_response.create, input="Hello", max_output_tokens=50)


DIALECTS = pytest.mark.parametrize("dialect", ["chat", "responses", "messages"])
SERVED: Mapping[str, tuple[str, dict[str, Any], int, str, str | None]] = {
    "floor": ("two-routes:floor", {}, 0, "lab", None),
    "order": ("two-routes", {"provider": {"order": ["SECOND"]}}, 0, "second", None),
    "ignore": ("two-routes", {"provider": {"ignore": ["lab"]}}, 0, "second", None),
    "next route": ("two-routes", {}, 2, "second", None),
    "next model": ("dead-chat:nitro", {"models": ["lab-chat:floor"], "route": "fallback"}, 0, "lab", "lab-chat"),
    "auto": ("auto", {}, 0, "lab", "lab-free"),
}
"""Model and preferences, how many tries fail, provider and other model that serve."""


@DIALECTS
@pytest.mark.parametrize("case", SERVED)
async def test_who_serves_is_in_the_headers_and_the_model_has_the_name_that_was_sent(
    gateway: ServedGateway, accounts: Accounts, upstream: FakeUpstream, dialect: str, case: str
) -> None:
    model, preferences, failing, provider, other = SERVED[case]
    call = call_of(dialect, gateway.url, await accounts.account())
    upstream.will(*[reply({"error": {"message": "No"}}, 503)] * failing)

    raw = await asyncio.to_thread(call, model=model, extra_body=preferences)

    assert raw.headers["x-callmissed-provider"] == provider
    assert raw.headers.get("x-callmissed-model") == other
    assert raw.parse().model == ("upstream" if dialect == "chat" else model)  # chat's replies pass untouched


@DIALECTS
@pytest.mark.parametrize(
    ("preferences", "param"),
    [
        ({"provider": {"only": ["nobody"]}}, "provider.only"),
        ({"provider": {"max_price": {"prompt": 0.0001}}}, "provider.max_price"),
        ({"provider": {"sort": "speed"}}, "provider.sort"),
        ({"provider": {"zdr": True}}, "provider.zdr"),
        ({"route": "sideways"}, "route"),
    ],
)
async def test_preference_that_can_not_be_met_is_a_400_by_name(
    gateway: ServedGateway,
    accounts: Accounts,
    upstream: FakeUpstream,
    dialect: str,
    preferences: dict[str, Any],
    param: str,
) -> None:
    account = await accounts.account()
    call = call_of(dialect, gateway.url, account)

    with pytest.raises((openai.BadRequestError, anthropic.BadRequestError)) as refused:
        await asyncio.to_thread(call, model="two-routes", extra_body=preferences)

    assert f"'{param}'" in refused.value.message
    assert upstream.requests == []
    await accounts.assert_untouched(account)
