"""What each transport sends and serves: its own key alone, and the same outcomes whichever a provider's row chooses."""

import httpx2
import pytest

from tests.support.inference.behaviours import (
    Behaviour,
    breaks_mid_body,
    completion,
    content_events,
    fails,
    reply,
    resets,
    says,
    streams,
)
from tests.support.inference.gateway import Accounts
from tests.support.inference.messages import message as whole_message
from tests.support.inference.messages import message_stream
from tests.support.inference.upstream import FakeUpstream
from tests.support.inference.wire import chat, message, refused

STREAMED = pytest.mark.parametrize("streamed", [False, True], ids=["blocking", "streaming"])
CLAUDE = ("claude-chat", "claude-sdk-chat")
"""Models of the messages dialect, one for each transport."""


async def test_one_callers_cookies_are_not_sent_for_another(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    upstream.will(reply(completion(), headers={"Set-Cookie": "session=of-the-first-caller; Path=/"}))

    for account in (await accounts.account(), await accounts.account()):
        assert (await chat(client, account, model="named-chat")).status_code == 200

    assert all("cookie" not in received.headers for received in upstream.requests)


async def test_only_the_providers_own_key_goes_upstream(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account()
    theirs = {"Cookie": "a=b", "X-Forwarded-For": "10.1.2.3", "Origin": "https://app.example.com"}

    for model in ("keyed-chat", "lab-chat", "sdk-chat"):
        assert (await chat(client, account, theirs, model=model)).status_code == 200
    for model in CLAUDE:
        upstream.will(reply(whole_message()))
        assert (await chat(client, account, theirs, model=model)).status_code == 200

    keyed, open_, sdk, *claude = upstream.requests
    assert keyed.headers["authorization"] == "Bearer lab-secret"
    assert "authorization" not in open_.headers
    for received in upstream.requests:
        assert account.secret not in str(received.headers) + received.raw.decode()
        assert not {"cookie", "x-forwarded-for", "origin"} & set(received.headers)
    for received in (keyed, open_, sdk):
        assert "x-api-key" not in received.headers
    for received in claude:
        assert received.headers["x-api-key"] == "lab-secret"
        assert received.headers["anthropic-version"] == "2023-06-01"
        assert "authorization" not in received.headers


@pytest.mark.parametrize(
    ("behaviours", "status", "code"),
    [
        ((fails(400),), 400, "invalid_request_error"),
        ((fails(500), fails(429)), 503, "provider_error"),
        ((resets(), resets()), 503, "provider_error"),
        ((breaks_mid_body(),), 503, "provider_error"),
        ((says(b"<html>"),), 502, "upstream_error"),
        ((breaks_mid_body(400), breaks_mid_body(500)), 503, "provider_error"),
        ((says(b"no gzip", status=400, headers={"Content-Encoding": "gzip"}), resets()), 503, "provider_error"),
    ],
)
@pytest.mark.parametrize("model", ["sdk-chat", "claude-sdk-chat"])
async def test_the_sdk_transports_fail_alike(
    client: httpx2.AsyncClient,
    accounts: Accounts,
    upstream: FakeUpstream,
    behaviours: tuple[Behaviour, ...],
    status: int,
    code: str,
    model: str,
) -> None:
    account = await accounts.account()
    upstream.will(*behaviours)

    refused(await chat(client, account, model=model), status, code)

    await accounts.assert_untouched(account)


@STREAMED
async def test_the_sdk_transport_serves_alike(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, streamed: bool
) -> None:
    account = await accounts.account()
    upstream.will(streams([*content_events(), b"data: [DONE]\n\n"]) if streamed else reply(completion()))

    response = await chat(client, account, model="sdk-chat", stream=streamed, x_unknown={"kept": [1.5, None]})

    assert response.status_code == 200
    assert upstream.only.body["x_unknown"] == {"kept": [1.5, None]}
    assert await accounts.assert_balanced(account) > 0


@STREAMED
@pytest.mark.parametrize("model", CLAUDE)
async def test_the_transports_of_messages_serve_alike(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, model: str, streamed: bool
) -> None:
    account = await accounts.account()
    upstream.will(streams(message_stream(whole_message())) if streamed else reply(whole_message()))

    response = await message(client, account, model=model, stream=streamed)

    assert response.status_code == 200, response.text
    assert "Hello" in response.text
    assert upstream.only.path == "/claude/v1/messages"
    assert upstream.only.body["model"] == f"upstream-{model}"
    assert await accounts.assert_balanced(account) == 11 * 50 + 7 * 150
