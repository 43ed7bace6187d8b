import math
from typing import Any

import pytest

USER = {"role": "user", "content": "Hi"}
TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}
CALL = {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
ASKED = {"role": "assistant", "content": None, "tool_calls": [CALL]}
ANSWERED = {"role": "tool", "tool_call_id": "call_1", "content": "seen"}
IMAGE = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}


@pytest.mark.parametrize(
    ("fields", "param", "code"),
    [
        ({"model": None}, "model", "invalid_type"),
        ({"messages": []}, "messages", "empty_array"),
        ({"messages": "Hi"}, "messages", "invalid_type"),
        ({"messages": [3]}, "messages[0]", "invalid_value"),
        ({"messages": [{"content": "Hi"}]}, "messages[0]", "invalid_value"),
        ({"messages": [{"role": "robot", "content": "Hi"}]}, "messages[0]", "invalid_value"),
        ({"messages": [{"role": "user"}]}, "messages[0].content", "missing_required_parameter"),
        ({"messages": [{"role": "user", "content": None}]}, "messages[0].content", "invalid_type"),
        ({"messages": [{"role": "user", "content": [{"type": "smell"}]}]}, "messages[0].content[0]", "invalid_value"),
        (
            {"messages": [{"role": "user", "content": [{"type": "text"}]}]},
            "messages[0].content[0].text",
            "missing_required_parameter",
        ),
        ({"messages": [{"role": "system", "content": [IMAGE]}]}, "messages[0].content[0].type", "invalid_value"),
        ({"messages": [USER, {"role": "assistant", "content": None}]}, "messages[1].content", None),
        (
            {"messages": [USER, ASKED, {"role": "tool", "content": "seen"}]},
            "messages[2].tool_call_id",
            "missing_required_parameter",
        ),
        ({"messages": [USER, ANSWERED]}, "messages[1].role", None),
        ({"messages": [USER, ASKED, {**ANSWERED, "tool_call_id": "call_2"}]}, "messages[2].role", None),
        ({"messages": [USER, ASKED]}, "messages", None),
        ({"messages": [USER, ASKED, USER, ANSWERED]}, "messages", None),
        ({"messages": [USER, ASKED, ANSWERED, ANSWERED]}, "messages[3].role", None),
        ({"max_tokens": 0}, "max_tokens", "integer_below_min_value"),
        ({"max_tokens": -5}, "max_tokens", "integer_below_min_value"),
        ({"max_tokens": "5"}, "max_tokens", "invalid_type"),
        ({"max_tokens": 1.5}, "max_tokens", "invalid_type"),
        ({"max_tokens": 5, "max_completion_tokens": 5}, "max_tokens", None),
        ({"n": 129}, "n", "integer_above_max_value"),
        ({"temperature": 2.1}, "temperature", "decimal_above_max_value"),
        ({"temperature": math.nan}, "temperature", "decimal_above_max_value"),
        ({"top_p": -0.1}, "top_p", "decimal_below_min_value"),
        ({"stop": ["a"] * 5}, "stop", "array_above_max_length"),
        ({"stop": 3}, "stop", "invalid_type"),
        ({"stream": "yes"}, "stream", "invalid_type"),
        ({"stream_options": {"include_usage": True}}, "stream_options", None),
        ({"top_logprobs": 3}, "top_logprobs", None),
        ({"logprobs": True, "top_logprobs": 21}, "top_logprobs", "integer_above_max_value"),
        ({"tools": []}, "tools", "empty_array"),
        ({"tools": [TOOL] * 129}, "tools", "array_above_max_length"),
        ({"tools": [{"type": "function"}]}, "tools[0].function", "missing_required_parameter"),
        (
            {"tools": [{"type": "function", "function": {"name": "a b"}}]},
            "tools[0].function.name",
            "invalid_value",
        ),
        ({"tool_choice": "auto"}, "tool_choice", None),
        ({"parallel_tool_calls": True}, "parallel_tool_calls", None),
        ({"tools": [TOOL], "tool_choice": "perhaps"}, "tool_choice", "invalid_value"),
        (
            {"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "hear"}}},
            "tool_choice",
            None,
        ),
        ({"response_format": {"type": "yaml"}}, "response_format.type", "invalid_value"),
        (
            {"response_format": {"type": "json_schema"}},
            "response_format.json_schema",
            "missing_required_parameter",
        ),
        ({"response_format": {"type": "json_object"}}, "messages", None),
        ({"reasoning_effort": "huge"}, "reasoning_effort", "invalid_value"),
    ],
)
async def test_refused_as_openai_refuses(sandbox, fields: dict[str, Any], param, code):
    error = await sandbox.refusal(**fields)
    assert error["message"]
    assert (error["type"], error["param"], error["code"]) == ("invalid_request_error", param, code)


@pytest.mark.parametrize(
    "fields",
    [
        {"max_tokens": None, "stop": None, "tools": None, "n": None, "stream_options": None, "response_format": None},
        {"plugins": ["web"], "provider": {"sort": "price"}, "transforms": [], "top_k": 5, "repetition_penalty": 1.2},
        {"stop": ["", "zzz"], "logit_bias": {"50256": -100}, "response_format": {"type": "text"}},
        {"messages": [{"role": "developer", "content": [{"type": "text", "text": "Be brief"}], "name": "ops"}, USER]},
        {"messages": [USER, ASKED, ANSWERED, {"role": "assistant", "content": [{"type": "refusal", "refusal": "No"}]}]},
        {"messages": [USER, {"role": "assistant", "content": "Yes?", "reasoning_content": "Hm"}, USER]},
    ],
)
async def test_accepted_as_openai_and_gateways_accept(sandbox, fields):
    assert (await sandbox.ask(**fields))["choices"][0]["finish_reason"] == "stop"


async def test_a_missing_model(sandbox):
    status, _, content = await sandbox.raw({"messages": [USER]})
    assert (status, b"Missing required parameter: 'model'" in content) == (400, True)


async def test_nesting_without_end(sandbox):
    schema: dict[str, Any] = {"type": "object"}
    for _ in range(3_000):
        schema = {"type": "object", "properties": {"a": schema}}
    tool = {"type": "function", "function": {"name": "look", "parameters": schema}}
    assert (await sandbox.refusal("look", tools=[tool]))["type"] == "invalid_request_error"
