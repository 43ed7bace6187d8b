"""`anthropic-beta`: what reaches an upstream of the dialect, what ends here, and what is refused."""

import httpx2
import pytest
from anthropic import AsyncAnthropic

from tests.support.inference.behaviours import reply
from tests.support.inference.gateway import Accounts, ServedGateway
from tests.support.inference.messages import message as whole_message
from tests.support.inference.upstream import FakeUpstream
from tests.support.inference.wire import chat, message, refused

HEADER = "anthropic-beta"
PLAIN = "interleaved-thinking-2025-05-14"
NEW = "some-new-thing-2027-01-01"


@pytest.mark.parametrize(
    ("sent", "passed"),
    [
        (PLAIN, PLAIN),
        (f"{PLAIN}, {NEW},{PLAIN}", f"{PLAIN},{NEW}"),
        ("mcp-client-2025-11-20", "mcp-client-2025-11-20"),
        ("", None),
        (",", None),
    ],
)
async def test_beta_reaches_an_upstream_that_is_marked_for_it(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, sent: str, passed: str | None
) -> None:
    upstream.will(reply(whole_message()))

    response = await message(client, await accounts.account(), {HEADER: sent}, model="claude-chat")

    assert response.status_code == 200, response.text
    assert upstream.only.headers.get(HEADER) == passed
    assert upstream.only.headers["anthropic-version"] == "2023-06-01"


async def test_several_headers_are_one_list(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account()
    upstream.will(reply(whole_message()))
    body = {"model": "claude-chat", "max_tokens": 5, "messages": [{"role": "user", "content": "Hello"}]}
    headers = [*account.headers.items(), (HEADER, PLAIN), (HEADER, NEW)]

    assert (await client.post("/v1/messages", json=body, headers=headers)).status_code == 200
    assert upstream.only.headers[HEADER] == f"{PLAIN},{NEW}"


@pytest.mark.parametrize("model", ["lab-chat", "claude-sdk-chat"])
async def test_beta_ends_before_an_upstream_that_is_not_marked(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, model: str
) -> None:
    if model == "claude-sdk-chat":
        upstream.will(reply(whole_message()))

    assert (await message(client, await accounts.account(), {HEADER: NEW}, model=model)).status_code == 200
    assert HEADER not in upstream.only.headers


async def test_beta_of_a_chat_caller_ends_here(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    upstream.will(reply(whole_message()))

    assert (await chat(client, await accounts.account(), {HEADER: NEW}, model="claude-chat")).status_code == 200
    assert HEADER not in upstream.only.headers


@pytest.mark.parametrize("model", ["claude-chat", "lab-chat", "sandbox"])
@pytest.mark.parametrize(
    "beta", ["context-1m-2025-08-07", "files-api-2025-04-14", "code-execution-2025-05-22", "skills"]
)
async def test_beta_that_may_have_a_price_is_refused(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, model: str, beta: str
) -> None:
    account = await accounts.account()

    response = await message(client, account, {HEADER: f"{PLAIN},{beta}"}, model=model)

    assert f"'{beta}'" in refused(response, 400, "unsupported_field")["message"]
    assert upstream.requests == []
    await accounts.assert_untouched(account)


@pytest.mark.parametrize("beta", ["a b", "x" * 101, "a;b", "-a", ",".join(f"b{n}" for n in range(33)), "a\tb"])
async def test_header_that_is_no_list_of_names_is_refused(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, beta: str
) -> None:
    account = await accounts.account()

    refused(await message(client, account, {HEADER: beta}, model="claude-chat"), 400, "invalid_request_error")

    assert upstream.requests == []
    await accounts.assert_untouched(account)


async def test_the_sdk_asks_for_betas(gateway: ServedGateway, accounts: Accounts, upstream: FakeUpstream) -> None:
    account = await accounts.account()
    upstream.will(reply(whole_message()))

    async with AsyncAnthropic(base_url=gateway.url, api_key=account.secret, max_retries=0) as sdk:
        answer = await sdk.beta.messages.create(
            model="claude-chat", max_tokens=5, messages=[{"role": "user", "content": "Hello"}], betas=[PLAIN, NEW]
        )

    assert answer.content[0].type == "text"
    assert upstream.only.headers[HEADER] == f"{PLAIN},{NEW}"


async def test_repetition_with_other_betas_is_another_request(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account()
    upstream.will(reply(whole_message()))
    key = {"Idempotency-Key": "beta-1"}

    first = await message(client, account, {**key, HEADER: f"{PLAIN},{NEW}"}, model="claude-chat")
    again = await message(client, account, {**key, HEADER: f"{NEW}, {PLAIN}"}, model="claude-chat")
    other = await message(client, account, {**key, HEADER: PLAIN}, model="claude-chat")
    without = await message(client, account, key, model="claude-chat")

    assert again.content == first.content
    assert again.headers["idempotent-replayed"] == "true"
    for response in (other, without):
        refused(response, 409, "idempotency_conflict")
    assert len(upstream.requests) == 1
