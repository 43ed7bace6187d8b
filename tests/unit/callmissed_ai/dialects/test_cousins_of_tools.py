"""What public reports say of calls, results and names of tools that were translated, by the report."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from callmissed_ai.dialects.tools.names import given_names
from tests.support.inference.behaviours import chunk, event
from tests.support.inference.messages import message, message_stream
from tests.support.inference.translated import (
    HELLO,
    TOOL,
    call,
    calling,
    chunks_of,
    messages_of,
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


UNPAIRED: Mapping[str, tuple[Sequence[Mapping[str, Any]], str]] = {
    "orphaned result (claude-code#14075, clawcodex#394)": ([HELLO, result("a")], "messages.1"),
    "result of an earlier turn": (
        [HELLO, calling("a"), result("a"), HELLO, said("assistant", "x"), result("a")],
        "messages.5",
    ),
    "result given twice (litellm#37273)": ([HELLO, calling("a"), result("a"), result("a")], "messages.3"),
    "missing result (pi#707)": ([HELLO, calling("a"), HELLO], "messages.1"),
    "missing one of two": ([HELLO, calling("a", "b"), result("b"), HELLO], "messages.1"),
    "missing result at the end": ([HELLO, calling("a")], "messages.1"),
    "missing result before the next reply": ([HELLO, calling("a"), HELLO, said("assistant", "x"), HELLO], "messages.1"),
    "two calls with one id (agno#2336)": ([HELLO, calling("a", "a"), result("a")], "messages.1"),
}


@pytest.mark.parametrize(("turns", "param"), UNPAIRED.values(), ids=UNPAIRED)
def test_call_without_result_or_result_without_call_is_named(turns: Any, param: str) -> None:
    assert refused(to_messages, messages=turns, tools=[TOOL]).param == param


def test_orphaned_result_is_named_towards_chat_too() -> None:
    assert refused(to_chat, messages=[HELLO, said("user", [RETURNED])]).param == "messages.1"


def test_results_after_a_remark_of_the_user_belong_to_the_calls() -> None:
    turns = [HELLO, calling("a", "b"), result("a"), HELLO, result("b")]
    (_, _, answer) = to_messages(messages=turns, tools=[TOOL])["messages"]

    assert [block["type"] for block in answer["content"]] == ["tool_result", "tool_result", "text"]


@pytest.mark.parametrize("arguments", ['{"city":"Pu', "[1]", "null", "Pune"])
def test_arguments_that_were_cut_do_not_poison_the_conversation(arguments: str) -> None:
    """DSpark#55, openai-agents#2283: a client replays what it got, and each further call was refused."""
    made = calling("a")
    made["tool_calls"][0]["function"]["arguments"] = arguments
    sent = to_messages(messages=[HELLO, made, result("a")], tools=[TOOL])

    assert sent["messages"][1]["content"][0]["input"] == {"INVALID_JSON": arguments}


@pytest.mark.parametrize("content", ["", [], [{"type": "text", "text": ""}]])
def test_empty_result_is_a_result(content: object) -> None:
    sent = to_messages(messages=[HELLO, calling("a"), {**result("a"), "content": content}], tools=[TOOL])
    assert sent["messages"][2]["content"] == [{"type": "tool_result", "tool_use_id": "a"}]

    back = to_chat(messages=[HELLO, said("assistant", [USED]), said("user", [{**RETURNED, "content": content}])])
    assert back["messages"][2] == {"role": "tool", "tool_call_id": "a", "content": ""}


@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "other"}}])
def test_choice_of_a_tool_that_is_not_offered_is_named(choice: object) -> None:
    """litellm#25477: without tools the choice was dropped, or refused in words of the provider."""
    assert refused(to_messages, tool_choice=choice).param == "tool_choice"


@pytest.mark.parametrize("choice", [{"type": "any"}, {"type": "tool", "name": "other"}])
def test_choice_of_a_tool_that_is_not_offered_is_named_towards_chat_too(choice: object) -> None:
    assert refused(to_chat, tool_choice=choice).param == "tool_choice"


LONG = "mcp__" + "a" * 90
ODD_NAMES = [LONG, "Github.Get File", "server/tool", "météo", "x" * 65]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_name_that_the_provider_refuses_comes_back_as_it_was(name: str) -> None:
    """OpenManus#1145, netclaw#1134, n8n#18800: 128 characters here, 64 there, and neither dots nor slashes."""
    tool = {"name": name, "input_schema": {"type": "object"}}
    turns = [HELLO, said("assistant", [{**USED, "name": name}]), said("user", [RETURNED])]
    asked = {"tools": [tool], "tool_choice": {"type": "tool", "name": name}}
    sent = to_chat(messages=turns, **asked)

    short = sent["tools"][0]["function"]["name"]
    assert len(short) <= 64
    assert short.replace("_", "").replace("-", "").isalnum()
    assert short.isascii()
    assert sent["tool_choice"]["function"]["name"] == sent["messages"][1]["tool_calls"][0]["function"]["name"] == short

    names = given_names(asked)
    events = messages_of(event(chunk({"tool_calls": [call(0, "b", short, "{}")]}, finish="tool_calls")), names=names)
    assert [each["content_block"]["name"] for each in events if each["type"] == "content_block_start"] == [name]


def test_names_that_differ_only_where_they_are_changed_stay_two() -> None:
    tools = [
        {"name": name, "input_schema": {"type": "object"}} for name in ("a.b", "a/b", "a_b", LONG + "1", LONG + "2")
    ]
    names = [tool["function"]["name"] for tool in to_chat(tools=tools)["tools"]]

    assert len({*names}) == len(tools)
    assert "a_b" in names


def test_chat_caller_gets_its_name_back() -> None:
    name = "weather"
    (first, *_) = chunks_of(*message_stream(message({**USED, "name": "w_1"})), names={"w_1": name})[1:]

    assert first["choices"][0]["delta"]["tool_calls"][0]["function"]["name"] == name
    assert given_names({"tools": [TOOL]}) == {}
