"""Thinking through Converse: signed thoughts, and how much a model is to think."""

from typing import Any

import pytest

from tests.support.inference.converse import redacted
from tests.support.inference.converse_requests import (
    CHAT,
    CLAUDE,
    CONVERSE,
    GPT,
    HELLO,
    LLAMA,
    NOVA,
    PROFILE,
    WEATHER,
    accepted,
    calling,
    from_chat,
    from_messages,
    refused,
    result,
    user,
)
from tests.support.inference.targets import target


def test_22_signed_thoughts_go_back_to_claude_as_they_came() -> None:
    thoughts = [
        {"type": "thinking", "thinking": "Hm.", "signature": "c2lnbmVk"},
        {"type": "redacted_thinking", "data": "ZW5jcnlwdGVk"},
    ]
    turns = [HELLO, {"role": "assistant", "content": [*thoughts, {"type": "text", "text": "Yes"}]}, HELLO]

    claude, llama = from_messages(messages=turns), from_messages(LLAMA, messages=turns)

    assert claude["messages"][1]["content"] == [
        {"reasoningContent": {"reasoningText": {"text": "Hm.", "signature": "c2lnbmVk"}}},
        {"reasoningContent": {"redactedContent": redacted("ZW5jcnlwdGVk")}},
        {"text": "Yes"},
    ]
    assert llama["messages"][1]["content"] == [{"text": "Yes"}]


def test_open_turn_of_claude_can_not_be_continued_by_another_model() -> None:
    thought = {"type": "thinking", "thinking": "Hm.", "signature": "c2lnbmVk"}
    used = {"type": "tool_use", "id": "a", "name": "weather", "input": {}}
    fields: dict[str, Any] = {
        "messages": [
            HELLO,
            {"role": "assistant", "content": [thought, used]},
            *user({"type": "tool_result", "tool_use_id": "a", "content": "Rain"}),
        ],
        "tools": [{"name": "weather", "input_schema": {}}],
    }

    assert from_messages(**fields)["messages"][1]["content"][0] == {
        "reasoningContent": {"reasoningText": {"text": "Hm.", "signature": "c2lnbmVk"}}
    }
    assert refused(from_messages, NOVA, **fields).param == "messages.1.content.0"


def test_model_of_no_known_family_gets_signed_thoughts_back() -> None:
    thought = {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"}
    said = {"role": "assistant", "content": [thought, {"type": "text", "text": "Yes"}]}

    body = from_messages(PROFILE, messages=[HELLO, said, HELLO])

    assert "reasoningContent" in body["messages"][1]["content"][0]


@pytest.mark.parametrize(("effort", "budget"), [("low", 1_024), ("high", 3_200)])
def test_effort_is_a_budget_for_a_model_that_thinks_by_budget(effort: str, budget: int) -> None:
    asked = CHAT.read_request({"model": "m", "messages": [HELLO], "reasoning_effort": effort})

    body = accepted(CONVERSE.write_request(asked, target(CLAUDE, thinks_by_budget=True)))

    assert body["additionalModelRequestFields"]["thinking"] == {"type": "enabled", "budget_tokens": budget}
    assert "outputConfig" not in body


def test_budget_gives_way_to_a_turn_without_its_thoughts() -> None:
    fields: dict[str, Any] = {
        "messages": [HELLO, calling("a"), result("a")],
        "tools": [WEATHER],
        "reasoning": {"max_tokens": 2_000},
    }

    assert "additionalModelRequestFields" not in from_chat(**fields)


@pytest.mark.parametrize(
    ("upstream_id", "effort", "sent"),
    [
        (CLAUDE, "max", {"thinking": {"type": "adaptive"}}),
        (CLAUDE, "none", {"thinking": {"type": "disabled"}}),
        (NOVA, "max", {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "high"}}),
        (NOVA, "none", {"reasoningConfig": {"type": "disabled"}}),
        (GPT, "minimal", {"reasoning_effort": "low"}),
        (LLAMA, "none", None),
    ],
)
def test_thinking_is_in_the_words_of_the_models_family(upstream_id: str, effort: str, sent: Any) -> None:
    body = from_chat(upstream_id, reasoning_effort=effort)

    assert body.get("additionalModelRequestFields") == sent
    assert body.get("outputConfig") == ({"effort": "max"} if (upstream_id, effort) == (CLAUDE, "max") else None)


@pytest.mark.parametrize(("budget", "effort"), [(200, "low"), (1_500, "medium"), (3_900, "high")])
def test_budget_is_a_share_of_the_limit_where_there_are_efforts(budget: int, effort: str) -> None:
    body = from_messages(GPT, thinking={"type": "enabled", "budget_tokens": budget})

    assert body["additionalModelRequestFields"] == {"reasoning_effort": effort}
