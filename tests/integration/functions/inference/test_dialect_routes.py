"""Routes and fallback models whose dialect can't have a request: left out, and refused before anything is written."""

from typing import Any

import httpx2
import pytest

from callmissed.keys.secret import Mode
from tests.support.inference.behaviours import completion, fails, reply
from tests.support.inference.gateway import Accounts
from tests.support.inference.messages import message
from tests.support.inference.upstream import FakeUpstream
from tests.support.inference.wire import MESSAGES, chat, refused

TWO_CHOICES: dict[str, Any] = {"n": 2}
DOCUMENT: dict[str, Any] = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "x"}}
FOREIGN_THOUGHT: dict[str, Any] = {
    "messages": [
        {"role": "user", "content": "Hello"},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "Hm", "signature": "c2ln"},
                {"type": "tool_use", "id": "a", "name": "look", "input": {}},
            ],
        },
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "content": "seen"}]},
    ]
}


def asked(upstream: FakeUpstream) -> list[str]:
    return [received.body["model"] for received in upstream.requests]


@pytest.mark.parametrize("model", ["claude-chat", "keyless-first"])
async def test_refusal_of_the_only_dialect_writes_nothing(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, model: str
) -> None:
    account = await accounts.account(budget=10**9)
    before = await accounts.key_item(account.secret)

    refused(await chat(client, account, model=model, **TWO_CHOICES), 400, "unsupported_field", param="n")

    after = await accounts.key_item(account.secret)
    assert upstream.requests == []
    assert (before["kb"], after["kb"]) == (10**9, 10**9)
    await accounts.assert_untouched(account)


async def test_key_comes_before_the_refusal(client: httpx2.AsyncClient, accounts: Accounts) -> None:
    account = await accounts.account(permissions=frozenset({"stt"}))

    refused(await chat(client, account, model="claude-chat", **TWO_CHOICES), 403, "permission_denied")


async def test_route_that_cannot_have_the_request_is_left_out(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account()

    assert (await chat(client, account, model="claude-first", **TWO_CHOICES)).status_code == 200

    assert asked(upstream) == ["chat-name"]


async def test_fallback_model_that_cannot_have_the_request_is_left_out(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account()
    upstream.will(fails(500), fails(500))

    response = await chat(client, account, models=["claude-chat", "second-chat"], **TWO_CHOICES)

    assert response.status_code == 200
    assert asked(upstream) == ["upstream-lab-chat"] * 2 + ["upstream-second-chat"]


async def test_first_model_that_cannot_have_the_request_gives_way_and_is_not_held_for(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account()

    assert (await chat(client, account, model="claude-chat", models=["lab-free"], **TWO_CHOICES)).status_code == 200

    assert asked(upstream) == ["upstream-lab-free"]


async def test_failure_of_all_that_could_have_the_request_is_503(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account()
    upstream.will(fails(500), fails(500))

    refused(await chat(client, account, models=["claude-chat"], **TWO_CHOICES), 503, "provider_error")

    await accounts.assert_untouched(account)


async def test_signed_thought_is_not_lost_in_a_fallback_to_another_dialect(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account()
    body = {"model": "claude-first", "max_tokens": 50, **FOREIGN_THOUGHT}
    upstream.will(fails(500), fails(500), reply(message()))

    failed = await client.post(MESSAGES, json=body, headers=account.headers)
    served = await client.post(MESSAGES, json=body, headers=account.headers)
    alone = await client.post(MESSAGES, json=body | {"model": "lab-chat"}, headers=account.headers)

    refused(failed, 529, "provider_error")
    assert served.status_code == 200
    assert asked(upstream) == ["claude-name"] * 3
    assert "'messages.1.content.0'" in refused(alone, 400, "unsupported_field")["message"]


async def test_thought_signed_elsewhere_is_not_lost_towards_messages(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account()
    detail = {"type": "reasoning.encrypted", "format": "openai-responses-v1", "data": "eA==", "index": 0}
    call = {"id": "a", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    answer = {"role": "assistant", "content": None, "reasoning_details": [detail], "tool_calls": [call]}
    asking = {"role": "user", "content": "Hello"}
    turns = [asking, answer, {"role": "tool", "tool_call_id": "a", "content": "seen"}]

    open_turn = await chat(client, account, model="claude-chat", messages=turns)
    upstream.will(reply(message()), reply(completion()))
    finished = await chat(client, account, model="claude-chat", messages=[*turns, asking])
    elsewhere = await chat(client, account, model="claude-first", messages=turns)

    refused(open_turn, 400, "unsupported_field", param="messages.1.content.0")
    assert (finished.status_code, elsewhere.status_code) == (200, 200)
    assert asked(upstream) == ["upstream-claude-chat", "chat-name"]


async def test_test_key_gets_the_same_refusal(client: httpx2.AsyncClient, accounts: Accounts) -> None:
    account = await accounts.account(mode=Mode.TEST)

    refused(await chat(client, account, model="claude-chat", **TWO_CHOICES), 400, "unsupported_field", param="n")
