"""What public reports say of requests that were translated, each test by the report it names."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from callmissed.errors import ApiError
from callmissed_ai.dialects.conversation import ToolCall
from callmissed_ai.dialects.opening import open_dialect
from tests.support.inference.behaviours import completion
from tests.support.inference.translated import (
    CHAT,
    HELLO,
    MESSAGES,
    TOOL,
    call,
    calling,
    refused,
    result,
    said,
    to_chat,
    to_messages,
)

USED: Mapping[str, Any] = {"type": "tool_use", "id": "a", "name": "weather", "input": {}}
RETURNED: Mapping[str, Any] = {"type": "tool_result", "tool_use_id": "a", "content": "sunny"}
CLAUDE_TOOL = {"name": "weather", "input_schema": {"type": "object"}}
CLAUDE = "anthropic-claude-v1"


def test_conversation_may_begin_with_the_assistant() -> None:
    """lobehub#1601, livekit agents#669: OpenAI takes a greeting first, Anthropic does not."""
    sent = to_messages(messages=[said("assistant", "How can I help?"), HELLO])

    assert [turn["role"] for turn in sent["messages"]] == ["user", "assistant", "user"]
    assert sent["messages"][1]["content"][0]["text"] == "How can I help?"


@pytest.mark.parametrize("content", ["", None, " ", [], [{"type": "text", "text": ""}]])
def test_assistant_that_said_nothing_is_left_out(content: object) -> None:
    """ellmer#1099: what a model answered with nothing comes back as an empty message."""
    sent = to_messages(messages=[HELLO, said("assistant", content), HELLO])

    assert [(turn["role"], len(turn["content"])) for turn in sent["messages"]] == [("user", 2)]


@pytest.mark.parametrize("text", ["{ ", "Answer:\n", "a\t \n"])
def test_last_message_of_the_assistant_ends_without_white_space(text: str) -> None:
    """crewAI#4413, langchain#35071, forgecode#1872."""
    sent = to_messages(messages=[HELLO, said("assistant", text)])

    assert sent["messages"][1]["content"] == [{"type": "text", "text": text.rstrip()}]


@pytest.mark.parametrize("outer", ["openai_chat", "openai_responses"])
def test_message_that_the_model_is_to_continue_is_named(outer: Any) -> None:
    """copilot-api#261: a reply that begins anew in the place of the rest is not what was asked for."""
    body = {"model": "m", "max_tokens": 9, "messages": [HELLO, said("assistant", "{")]}
    with pytest.raises(ApiError) as caught:
        open_dialect(outer).write_request(MESSAGES.read_request(body))

    assert (caught.value.status, caught.value.param) == (400, "messages.1")


def test_thought_at_the_end_of_a_message_is_left_out() -> None:
    """forgecode#3073, hermes-agent#16921: the reply was cut while the model thought."""
    detail = {"type": "reasoning.text", "text": "Hm", "signature": "c2ln", "format": CLAUDE, "index": 0}
    only = said("assistant", None, reasoning_details=[detail])

    assert [turn["role"] for turn in to_messages(messages=[HELLO, only, HELLO])["messages"]] == ["user"]


def test_instructions_in_several_blocks_are_one_text_for_chat() -> None:
    """Providers that take a text there refuse a list; Claude Code always sends one."""
    system = [
        {"type": "text", "text": text, "cache_control": {"type": "ephemeral"}} for text in ("Be kind.", "", "Be brief.")
    ]

    assert to_chat(system=system)["messages"][0] == {"role": "system", "content": "Be kind.\n\nBe brief."}
    assert to_chat(system=[{"type": "text", "text": ""}])["messages"] == [HELLO]


def test_instructions_amid_the_conversation_keep_their_place_for_chat() -> None:
    """free-claude-code#1125, OmniRoute#6954."""
    turns = [HELLO, said("system", "Be brief."), said("assistant", "Yes"), HELLO]

    assert [turn["role"] for turn in to_chat(messages=turns)["messages"]] == ["user", "system", "assistant", "user"]


BUDGET = {"reasoning": {"max_tokens": 2000}, "max_tokens": 4000}


@pytest.mark.parametrize("thinking", [{"reasoning_effort": "low"}, BUDGET])
@pytest.mark.parametrize(
    ("given", "kept"),
    [({"temperature": 0.2}, {}), ({"top_k": 5}, {}), ({"top_p": 0.5}, {}), ({"top_p": 0.97}, {"top_p": 0.97})],
)
def test_sampling_gives_way_to_thinking(thinking: Any, given: Any, kept: Any) -> None:
    """llmgateway#1726, quarkus-langchain4j#1812, Semoss#1655."""
    sent = to_messages(**thinking, **given)

    assert {name: value for name, value in sent.items() if name in ("temperature", "top_p", "top_k")} == kept
    assert sent["thinking"]["type"] in ("adaptive", "enabled")


def test_sampling_stays_where_the_model_does_not_think() -> None:
    for quiet in ({}, {"reasoning_effort": "none"}):
        assert to_messages(temperature=0.2, top_k=5, **quiet)["temperature"] == 0.2


@pytest.mark.parametrize(
    ("temperature", "top_p", "kept"),
    [
        (0.2, 1, {"temperature": 0.2}),
        (1, 0.5, {"top_p": 0.5}),
        (1, 1, {"temperature": 1}),
        (0, 1.0, {"temperature": 0}),
    ],
)
def test_sampling_that_says_nothing_gives_way(temperature: float, top_p: float, kept: Any) -> None:
    """CLIProxyAPI#1125, open-webui pipelines#546: newer models take one of the two, and clients send both."""
    sent = to_messages(temperature=temperature, top_p=top_p)

    assert {name: value for name, value in sent.items() if name in ("temperature", "top_p")} == kept


@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "weather"}}])
def test_effort_gives_way_to_a_forced_tool(choice: object) -> None:
    """mastra#7507, oh-my-pi#341, CLIProxyAPI#4797."""
    sent = to_messages(tools=[TOOL], tool_choice=choice, reasoning_effort="high")

    assert "thinking" not in sent
    assert sent["tool_choice"]["type"] in ("any", "tool")
    assert refused(to_messages, tools=[TOOL], tool_choice=choice, **BUDGET).param == "tool_choice"


def test_budget_has_room_within_the_limit() -> None:
    """litellm#27051: a budget as large as the limit is refused upstream."""
    assert to_messages(reasoning={"max_tokens": 10}, max_tokens=1025)["thinking"]["budget_tokens"] == 1024
    for budget, limit in ((10, 1024), (4000, 4000), (5000, 4000)):
        assert refused(to_messages, reasoning={"max_tokens": budget}, max_tokens=limit).param == "reasoning.max_tokens"


def test_budget_gives_way_to_a_turn_without_its_thoughts() -> None:
    """openai-agents#1704, n8n#22550: a client of chat that drops the thoughts could never go on."""
    detail = {"type": "reasoning.text", "text": "Hm", "signature": "c2ln", "format": CLAUDE, "index": 0}
    kept = {**calling("a"), "reasoning_details": [detail]}

    assert "thinking" not in to_messages(messages=[HELLO, calling("a"), result("a")], tools=[TOOL], **BUDGET)
    assert "thinking" in to_messages(messages=[HELLO, kept, result("a")], tools=[TOOL], **BUDGET)
    assert "thinking" in to_messages(
        messages=[HELLO, calling("a"), result("a"), said("assistant", "x"), HELLO], tools=[TOOL], **BUDGET
    )


@pytest.mark.parametrize("stop", ["\n", ["a", " \t"]])
def test_stop_of_white_space_is_named(stop: object) -> None:
    """litellm#3286."""
    assert refused(to_messages, stop=stop).param == "stop"


@pytest.mark.parametrize("user", ["jo@example.com", "+91 98450 12345", "9845012345", "josé", "a" * 300, "a b"])
def test_user_that_anthropic_refuses_becomes_opaque(user: str) -> None:
    """litellm#10106, deepclaude#17: the same user stays the same."""
    sent, again = to_messages(user=user)["metadata"]["user_id"], to_messages(user=user)["metadata"]["user_id"]

    assert sent == again
    assert sent.startswith("user_")
    assert user not in sent
    assert to_messages(user="u_1-A")["metadata"] == {"user_id": "u_1-A"}


def test_user_that_is_too_long_for_openai_becomes_short() -> None:
    """claude-code-provider-proxy#11, axonhub#1669, bifrost#1000: Claude Code sends about 150 characters."""
    assert len(to_chat(metadata={"user_id": json.dumps({"device_id": "a" * 64, "session": "b" * 36})})["user"]) <= 64
    assert to_chat(metadata={"user_id": "u" * 64})["user"] == "u" * 64


@pytest.mark.parametrize(
    "parameters", [None, {}, {"properties": {}}, {"type": ["object", "null"]}, {"$defs": {"a": {}}}]
)
def test_parameters_say_that_they_are_an_object(parameters: Any) -> None:
    """opencodex#75, kilocode#12238: `input_schema.type: Field required`."""
    function = {"name": "weather", **({} if parameters is None else {"parameters": parameters})}
    schema = to_messages(tools=[{"type": "function", "function": function}])["tools"][0]["input_schema"]

    assert schema == {**(parameters or {}), "type": "object"}


def format_of(schema: Mapping[str, Any]) -> dict[str, Any]:
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    return to_messages(response_format=wanted)["output_config"]["format"]["schema"]


def test_schema_of_a_reply_keeps_to_what_anthropic_takes() -> None:
    """vercel ai#14342, GoModel#963: objects are closed, and constraints are for the model to read."""
    number = {"type": "integer", "minimum": 1, "description": "Count"}
    inner = {"type": "array", "items": {"$ref": "#/$defs/a"}, "minItems": 2}
    schema = {
        "type": "object",
        "properties": {"n": number, "l": inner},
        "$defs": {"a": {"type": "object", "properties": {}}},
    }

    assert format_of(schema) == {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "n": {"type": "integer", "description": 'Count\n\n{"minimum": 1}'},
            "l": {"type": "array", "items": {"$ref": "#/$defs/a"}, "description": '{"minItems": 2}'},
        },
        "$defs": {"a": {"type": "object", "properties": {}, "additionalProperties": False}},
    }


def test_property_with_the_name_of_a_constraint_is_none() -> None:
    schema = {"type": "object", "properties": {"minimum": {"type": "integer"}, "items": {"type": "string"}}}

    assert format_of(schema) == {**schema, "additionalProperties": False}


def test_schema_with_free_keys_is_refused_by_name() -> None:
    wanted = {
        "type": "json_schema",
        "json_schema": {"name": "x", "schema": {"type": "object", "additionalProperties": {}}},
    }

    assert refused(to_messages, response_format=wanted).param == "response_format"


@pytest.mark.parametrize("fields", [{"functions": [{"name": "f"}]}, {"function_call": "auto"}])
def test_functions_of_old_are_refused_by_name(fields: Any) -> None:
    """OrcaRouter-Lite#131: they were dropped."""
    assert refused(to_messages, **fields).param == next(iter(fields))


REFUSALS = {
    "This model does not support assistant message prefill. The conversation must end with a user message.": "messages",
    "`temperature` and `top_p` cannot both be specified for this model. Please use only one.": "top_p",
    "`temperature` may only be set to 1 when thinking is enabled or in adaptive mode.": "temperature",
    "`top_p` must be greater than or equal to 0.95 or unset when thinking is enabled.": "top_p",
    "Thinking may not be enabled when tool_choice forces tool use.": "tool_choice",
    "adaptive thinking is not supported on this model": "reasoning_effort",
}


@pytest.mark.parametrize(("text", "param"), REFUSALS.items())
def test_refusal_by_a_rule_of_one_model_names_the_field(text: str, param: str) -> None:
    assert MESSAGES.refusal({"type": "invalid_request_error", "message": text}).param == param


def test_refusal_names_the_providers_field_and_no_more() -> None:
    refusal = MESSAGES.refusal({"message": "tools.3.custom.input_schema: JSON schema is invalid: secret"})

    assert "'tools.3.custom.input_schema'" in refusal.message
    assert "secret" not in refusal.message


def test_reply_of_a_model_has_its_calls_with_their_names() -> None:
    found = CHAT.read_reply(completion(None, tool_calls=[call(0, "a", "weather", "{}")]))

    assert [part.name for part in found.parts if isinstance(part, ToolCall)] == ["weather"]
