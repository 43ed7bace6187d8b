"""Requests with each kind of JSON in each place, for each upstream's dialect: sent or refused, never a failure."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

import pytest

from callmissed.catalog.model import DialectName
from callmissed.errors import ApiError
from callmissed_ai.dialects.opening import open_dialect
from tests.support.inference.any_json import changed

DIALECTS: tuple[DialectName, ...] = ("openai_chat", "anthropic_messages", "openai_responses")
VALUES: Sequence[Any] = (None, True, -1, 10**30, "", "text", [], [{}], ["a"], {}, [{"type": []}], {"type": "text"})
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
DATA_URL = f"data:image/png;base64,{PNG}"
SCHEMA = {"type": "object", "properties": {"a": {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/x"}]}}}
FUNCTION = {"name": "look", "description": "d", "parameters": SCHEMA}
MARK = {"cache_control": {"type": "ephemeral"}}

CHAT: Mapping[str, Any] = {
    "model": "lab-chat",
    "max_tokens": 50,
    "messages": [
        {"role": "system", "content": [{"type": "text", "text": "s", **MARK}]},
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": DATA_URL, "detail": "low"}}]},
        {
            "role": "assistant",
            "content": [{"type": "refusal", "refusal": "no"}],
            "reasoning_details": [{"type": "reasoning.text", "text": "t", "signature": "s"}],
            "tool_calls": [
                {
                    "id": "a",
                    "type": "function",
                    "function": {"name": "look", "arguments": "{}"},
                    "extra_content": {"google": {"thought_signature": "x"}},
                }
            ],
        },
        {"role": "tool", "tool_call_id": "a", "content": "found"},
    ],
}
MESSAGES: Mapping[str, Any] = {
    "model": "lab-chat",
    "max_tokens": 5_000,
    "system": [{"type": "text", "text": "s", **MARK}],
    "messages": [
        {"role": "user", "content": [{"type": "image", "source": {"type": "url", "url": "https://a.test/b.png"}}]},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "t", "signature": "s"},
                {"type": "redacted_thinking", "data": "d"},
                {"type": "tool_use", "id": "a", "name": "look", "input": {"a": 1}},
            ],
        },
        {
            "role": "user",
            "content": [
                {
                    "type": "tool_result",
                    "tool_use_id": "a",
                    "is_error": True,
                    "content": [
                        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}
                    ],
                },
                {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "d"}, "title": "t"},
            ],
        },
    ],
}
RESPONSES: Mapping[str, Any] = {
    "model": "lab-chat",
    "max_output_tokens": 50,
    "input": [
        {"role": "developer", "content": [{"type": "input_text", "text": "d"}]},
        {"type": "message", "role": "user", "content": [{"type": "input_image", "image_url": DATA_URL}]},
        {
            "type": "reasoning",
            "id": "rs_1",
            "summary": [{"type": "summary_text", "text": "s"}],
            "content": [{"type": "reasoning_text", "text": "t"}],
            "encrypted_content": "e",
        },
        {
            "type": "message",
            "id": "msg_1",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "t", "annotations": []}],
        },
        {"type": "function_call", "id": "fc_1", "call_id": "a", "name": "look", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "a", "output": [{"type": "input_text", "text": "r"}]},
    ],
}
REQUESTS: Mapping[str, Mapping[str, Any]] = {
    "openai_chat": CHAT,
    "anthropic_messages": MESSAGES,
    "openai_responses": RESPONSES,
}
OPTIONS: Mapping[str, Sequence[Mapping[str, Any]]] = {
    "openai_chat": (
        {
            "tools": [{"type": "function", "function": FUNCTION}],
            "tool_choice": {"type": "function", "function": FUNCTION},
        },
        {"response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA}}},
        {"reasoning": {"effort": "low", "max_tokens": 2000}, "reasoning_effort": "low", "stop": ["x"], "top_k": 2},
    ),
    "anthropic_messages": (
        {"tools": [{"name": "look", "input_schema": SCHEMA, **MARK}], "tool_choice": {"type": "tool", "name": "look"}},
        {"output_config": {"effort": "low", "format": {"type": "json_schema", "schema": SCHEMA}}},
        {"thinking": {"type": "enabled", "budget_tokens": 2000}, "stop_sequences": ["x"], "metadata": {"user_id": "u"}},
    ),
    "openai_responses": (
        {"tools": [{"type": "function", **FUNCTION}], "tool_choice": {"type": "function", "name": "look"}},
        {"text": {"format": {"type": "json_schema", "name": "n", "schema": SCHEMA}, "verbosity": "low"}},
        {"reasoning": {"effort": "low", "summary": "auto"}, "include": ["reasoning.encrypted_content"]},
    ),
}


def requests_of(dialect: DialectName) -> Iterator[Mapping[str, Any]]:
    yield from changed({**REQUESTS[dialect]}, VALUES)
    for options in OPTIONS[dialect]:
        for each in changed({**options}, VALUES):
            yield {**REQUESTS[dialect], **each}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_request_with_anything_in_any_place(dialect: DialectName) -> None:
    caller, accepted = open_dialect(dialect), 0
    for body in requests_of(dialect):
        size = len(json.dumps(body))
        with suppress(ApiError):
            caller.check_size(body, size)
            stated = caller.without_neutral_values(body)
            asked = caller.ask(stated, size)
            list(caller.further_fields(stated))
            assert caller.count(stated, None) <= asked.input_tokens
            conversation = caller.read_request(stated)
            accepted += 1
            for upstream in map(open_dialect, DIALECTS):
                with suppress(ApiError):
                    upstream.write_request(conversation)
    assert accepted > 50


@pytest.mark.parametrize("missing", [{}, {"json_schema": None}])
def test_format_without_its_schema_names_the_field(missing: Mapping[str, Any]) -> None:
    body = {**CHAT, "response_format": {"type": "json_schema", **missing}}

    with pytest.raises(ApiError) as refused:
        open_dialect("openai_chat").read_request(body)

    assert (refused.value.status, refused.value.param) == (400, "response_format.json_schema")
