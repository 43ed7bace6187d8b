"""Requests that another dialect can have only in another form: what the upstream gets, and what comes back."""

import json
from collections.abc import Mapping
from typing import Any

import httpx2
import pytest

from tests.support.inference.behaviours import DONE, chunk, completion, event, reply, streams, usage_event
from tests.support.inference.gateway import Accounts
from tests.support.inference.messages import message
from tests.support.inference.upstream import FakeUpstream
from tests.support.inference.wire import CHAT, MESSAGES, refused

LONG_NAME = "mcp__plugin_name_of_a_server__" + "tool" * 15
HELLO = {"role": "user", "content": "Hello"}
TOOL: Mapping[str, Any] = {"name": LONG_NAME, "input_schema": {"type": "object"}}


@pytest.mark.parametrize("streamed", [False, True])
async def test_long_name_of_a_tool_is_the_callers_in_the_reply(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, *, streamed: bool
) -> None:
    account = await accounts.account()
    body = {"model": "lab-chat", "max_tokens": 50, "messages": [HELLO], "tools": [TOOL], "stream": streamed}
    upstream.will(reply(completion()))
    assert (await client.post(MESSAGES, json={**body, "stream": False}, headers=account.headers)).status_code == 200
    short = upstream.only.body["tools"][0]["function"]["name"]
    called = {"index": 0, "id": "a", "type": "function", "function": {"name": short, "arguments": "{}"}}
    pieces = [event(chunk({"tool_calls": [called]}, finish="tool_calls")), usage_event(), DONE]
    upstream.will(streams(pieces) if streamed else reply(completion(None, tool_calls=[called])))

    response = await client.post(MESSAGES, json=body, headers=account.headers)

    assert response.status_code == 200, response.text
    assert len(short) <= 64
    assert f'"name":{json.dumps(LONG_NAME)}' in response.text
    assert short not in response.text
    await accounts.assert_balanced(account)


@pytest.mark.parametrize(("path", "param"), [(CHAT, "messages.0"), (MESSAGES, "messages.0")])
async def test_call_without_result_reaches_no_upstream(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, path: str, param: str
) -> None:
    account = await accounts.account()
    call = {"id": "a", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    made = {"role": "assistant", "content": None, "tool_calls": [call]}
    used = {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "look", "input": {}}]}
    asked = {CHAT: ("claude-chat", made), MESSAGES: ("lab-chat", used)}
    model, turn = asked[path]

    body = {"model": model, "max_tokens": 50, "messages": [turn, HELLO]}
    response = await client.post(path, json=body, headers=account.headers)

    assert f"'{param}'" in refused(response, 400, "invalid_request_error")["message"]
    assert upstream.requests == []
    await accounts.assert_untouched(account)


async def test_shortened_reply_has_room_for_what_the_model_may_think(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    upstream.will(reply(message()), reply(message()))
    body = {"model": "claude-chat", "messages": [HELLO], "reasoning": {"max_tokens": 2000}, "temperature": 0.2}

    for credits in (1000, 1):
        account = await accounts.account(credits=credits)
        assert (await client.post(CHAT, json=body, headers=account.headers)).status_code == 200
    poor = await accounts.account(credits=0.3)
    response = await client.post(CHAT, json=body, headers=poor.headers)

    assert response.status_code == 402, response.text
    whole, shortened = (request.body for request in upstream.requests)
    assert 2000 < shortened["max_tokens"] < whole["max_tokens"]
    assert shortened["thinking"] == whole["thinking"] == {"type": "enabled", "budget_tokens": 2000}
    assert "temperature" not in whole
