"""Requests for Converse that chat and messages become, which botocore's own model of the API must accept."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from callmissed.errors import ApiError
from callmissed_ai.dialects.opening import open_dialect, open_upstream_dialect
from tests.support.inference.converse_shape import faults_of
from tests.support.inference.targets import target

CONVERSE = open_upstream_dialect("bedrock_converse")
CHAT = open_dialect("openai_chat")
MESSAGES = open_dialect("anthropic_messages")
CLAUDE = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
NOVA = "amazon.nova-pro-v1:0"
GPT = "openai.gpt-oss-120b-1:0"
LLAMA = "meta.llama3-3-70b-instruct-v1:0"
PROFILE = "arn:aws:bedrock:eu-west-1:123456789012:application-inference-profile/abcdef012345"
HELLO = {"role": "user", "content": "Hello"}
WEATHER = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}
SPEC = {"toolSpec": {"name": "weather", "inputSchema": {"json": {"type": "object"}}}}
SCHEMA = '{"type":"object","additionalProperties":false}'
PNG = "iVBORw0KGgo="


def accepted(body: Mapping[str, Any]) -> dict[str, Any]:
    """`body` as JSON, which must fit the API's model."""
    sent = json.loads(json.dumps(body))
    assert faults_of(sent) == []
    return sent


def from_chat(upstream_id: str = CLAUDE, *, cache_write: int | None = None, **fields: Any) -> dict[str, Any]:
    """A request of chat as Converse gets it."""
    asked = CHAT.read_request({"model": "m", "messages": [HELLO], **fields})
    return accepted(CONVERSE.write_request(asked, target(upstream_id, cache_write=cache_write)))


def from_messages(upstream_id: str = CLAUDE, *, cache_write: int | None = None, **fields: Any) -> dict[str, Any]:
    """A request of messages as Converse gets it."""
    asked = MESSAGES.read_request({"model": "m", "max_tokens": 100, "messages": [HELLO], **fields})
    return accepted(CONVERSE.write_request(asked, target(upstream_id, cache_write=cache_write)))


def calling(*ids: str) -> dict[str, Any]:
    """An assistant of chat that calls a tool for each id."""
    calls = [{"id": each, "type": "function", "function": {"name": "weather", "arguments": "{}"}} for each in ids]
    return {"role": "assistant", "content": None, "tool_calls": calls}


def result(call_id: str, content: str = "Rain") -> dict[str, Any]:
    """The result of a chat's call."""
    return {"role": "tool", "tool_call_id": call_id, "content": content}


def user(*blocks: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The messages of a user with these blocks."""
    return [{"role": "user", "content": list(blocks)}]


def refused(write: Any, *arguments: Any, **fields: Any) -> ApiError:
    """The 400 by which `write` refuses these arguments."""
    with pytest.raises(ApiError) as error:
        write(*arguments, **fields)
    assert error.value.status == 400
    return error.value
