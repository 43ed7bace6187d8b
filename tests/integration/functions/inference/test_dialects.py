"""Each caller's dialect with each upstream's: the reply, its bill, and what the upstream gets."""

import json
from collections.abc import Mapping
from typing import Any

import httpx2
import pytest

from tests.support.inference.behaviours import completion, reply, streams, whole_stream
from tests.support.inference.converse import converse_reply, converse_stream
from tests.support.inference.gateway import Account, Accounts
from tests.support.inference.messages import message, message_stream
from tests.support.inference.responses import response, response_stream
from tests.support.inference.upstream import Behaviour, FakeUpstream
from tests.support.inference.wire import CHAT, MESSAGES, RESPONSES, events_of, refused

MODELS = {
    "openai_chat": "lab-chat",
    "anthropic_messages": "claude-chat",
    "openai_responses": "gpt-chat",
    "bedrock_converse": "converse-chat",
}
WHOLE: Mapping[str, Behaviour] = {
    "openai_chat": reply(completion()),
    "anthropic_messages": reply(message()),
    "openai_responses": reply(response()),
    "bedrock_converse": reply(converse_reply()),
}
STREAMED: Mapping[str, Behaviour] = {
    "openai_chat": streams(whole_stream()),
    "anthropic_messages": streams(message_stream(message())),
    "openai_responses": streams(response_stream(response())),
    "bedrock_converse": streams(converse_stream(converse_reply())),
}
USAGE = 11 * 50 + 7 * 150
PAIRS = [(path, dialect) for path in (CHAT, MESSAGES, RESPONSES) for dialect in MODELS]


async def ask(client: httpx2.AsyncClient, path: str, account: Account, dialect: str, **more: Any) -> httpx2.Response:
    chat = {"max_tokens": 50, "messages": [{"role": "user", "content": "Hello"}]}
    asked = {"max_output_tokens": 50, "input": "Hello"} if path == RESPONSES else chat
    body = {"model": MODELS[dialect], **asked, **more}
    return await client.post(path, json=body, headers=account.headers)


@pytest.mark.parametrize(("path", "dialect"), PAIRS)
async def test_whole_reply_has_the_callers_form_and_the_upstreams_bill(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, path: str, dialect: str
) -> None:
    account = await accounts.account()
    upstream.will(WHOLE[dialect])

    answer = await ask(client, path, account, dialect)

    assert answer.status_code == 200, answer.text
    assert text_of(path, answer.json()) == "Hello there"
    assert await accounts.assert_balanced(account) == USAGE
    if dialect == "anthropic_messages":
        assert upstream.only.path == "/claude/v1/messages"
        assert upstream.only.headers["anthropic-version"] == "2023-06-01"
        assert upstream.only.headers["x-api-key"] == "lab-secret"
        assert "authorization" not in upstream.only.headers
        assert upstream.only.body["max_tokens"] == 50
    if dialect == "openai_responses":
        assert upstream.only.path == "/gpt/v1/responses"
        assert upstream.only.headers["authorization"] == "Bearer lab-secret"
        assert (upstream.only.body["max_output_tokens"], upstream.only.body["store"]) == (50, False)
    if dialect == "bedrock_converse":
        assert upstream.only.path == "/bedrock/model/eu.anthropic.claude-x:0/converse"
        assert "/us-east-1/bedrock/aws4_request" in upstream.only.headers["authorization"]
        assert upstream.only.body["inferenceConfig"] == {"maxTokens": 50}


def text_of(path: str, body: Mapping[str, Any]) -> str:
    """The text of a whole reply."""
    if path == RESPONSES:
        return body["output"][-1]["content"][0]["text"]
    return body["choices"][0]["message"]["content"] if path == CHAT else body["content"][0]["text"]


@pytest.mark.parametrize(("path", "dialect"), PAIRS)
async def test_stream_has_the_callers_form_and_the_upstreams_bill(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, path: str, dialect: str
) -> None:
    account = await accounts.account()
    upstream.will(STREAMED[dialect])

    response = await ask(client, path, account, dialect, stream=True)

    assert response.status_code == 200, response.text
    if path == CHAT:
        assert response.content.endswith(b"data: [DONE]\n\n")
        chunks = events_of(response.content.removesuffix(b"data: [DONE]\n\n"))
        texts = [choice["delta"].get("content") or "" for event in chunks for choice in event["choices"]]
    elif path == RESPONSES:
        lines = [line for line in response.text.splitlines() if line.startswith("data: ")]
        last = json.loads(lines[-1][6:])
        assert (last["type"], last["sequence_number"]) == ("response.completed", len(lines) - 1)
        texts = [text_of(path, last["response"])]
    else:
        assert response.content.endswith(b'event: message_stop\ndata: {"type":"message_stop"}\n\n')
        lines = [line for line in response.text.splitlines() if line.startswith("data: ")]
        texts = [json.loads(line[6:]).get("delta", {}).get("text", "") for line in lines]
    assert "".join(texts).startswith("Hello there")
    assert await accounts.assert_balanced(account) == USAGE


PRICED: Mapping[str, tuple[str, Any]] = {
    "speed": ("speed", "fast"),
    "service_tier": ("service_tier", "priority"),
    "container": ("container", "c1"),
    "tools.0.type": ("tools", [{"type": "web_search_20250305", "name": "web_search"}]),
    "messages.0.content.0.source.type": (
        "messages",
        [{"role": "user", "content": [{"type": "document", "source": {"type": "file", "file_id": "f"}}]}],
    ),
}


@pytest.mark.parametrize("dialect", MODELS)
@pytest.mark.parametrize("param", PRICED)
async def test_field_that_may_have_a_price_reaches_no_upstream(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream, dialect: str, param: str
) -> None:
    account = await accounts.account()
    name, value = PRICED[param]

    response = await ask(client, MESSAGES, account, dialect, **{name: value})

    error = refused(response, 400, "unsupported_field")
    assert f"'{param}'" in error["message"]
    assert upstream.requests == []
    await accounts.assert_untouched(account)


async def test_cache_marks_reach_upstreams_of_the_dialect_alone(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    account = await accounts.account()
    marked = {"type": "text", "text": "Hello", "cache_control": {"type": "ephemeral"}}
    asked = [{"role": "user", "content": [marked]}]
    upstream.will(WHOLE["anthropic_messages"], WHOLE["openai_chat"])

    for dialect in ("anthropic_messages", "openai_chat"):
        assert (await ask(client, MESSAGES, account, dialect, messages=asked)).status_code == 200

    assert upstream.requests[0].body["messages"] == asked
    assert upstream.requests[1].body["messages"] == [{"role": "user", "content": "Hello"}]


EVERYTHING: Mapping[str, Any] = {
    "system": [{"type": "text", "text": "Be kind.", "citations": []}],
    "messages": [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "Hello"},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBO"}},
                {
                    "type": "document",
                    "title": "T",
                    "source": {"type": "text", "media_type": "text/plain", "data": "text"},
                    "citations": {"enabled": False},
                },
            ],
        },
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "Hm", "signature": "c2ln"},
                {"type": "redacted_thinking", "data": "eA=="},
                {"type": "tool_use", "id": "a", "name": "look", "input": {"deep": [{"x": 1}]}},
            ],
        },
        {
            "role": "user",
            "content": [{"type": "tool_result", "tool_use_id": "a", "content": [{"type": "text", "text": "seen"}]}],
        },
    ],
    "tools": [{"name": "look", "input_schema": {"type": "object", "properties": {"x": {"enum": [1]}}}, "strict": True}],
    "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
    "thinking": {"type": "enabled", "budget_tokens": 1024, "display": "summarized"},
    "output_config": {"effort": "max", "format": {"type": "json_schema", "schema": {"type": "object"}}},
    "stop_sequences": ["x"],
    "metadata": {"user_id": "u"},
    "service_tier": "auto",
    "temperature": 1,
    "top_k": 5,
    "top_p": 0.5,
}


async def test_what_every_provider_may_get_reaches_it_as_it_was(
    client: httpx2.AsyncClient, accounts: Accounts, upstream: FakeUpstream
) -> None:
    upstream.will(WHOLE["anthropic_messages"])

    response = await ask(client, MESSAGES, await accounts.account(), "anthropic_messages", **EVERYTHING)

    assert response.status_code == 200, response.text
    sent = upstream.only.body
    assert (sent.pop("model"), sent.pop("max_tokens")) == ("upstream-claude-chat", 50)
    assert sent == {name: value for name, value in EVERYTHING.items() if name != "service_tier"}
