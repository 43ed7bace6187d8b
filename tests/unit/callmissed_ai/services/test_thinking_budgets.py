"""Output limits beside a budget for thinking: what the gateway sets or shortens stays above the budget."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callmissed.catalog.loader import load_catalog
from callmissed.errors import ApiError
from callmissed.money import MicroCredits
from callmissed_ai.dialects.opening import open_dialect
from callmissed_ai.dialects.reasoning.budget import MIN_BUDGET
from callmissed_ai.services.chat import DEFAULT_OUTPUT_TOKENS, parse
from callmissed_ai.services.conversations.models import MIN_OUTPUT_TOKENS
from callmissed_ai.services.conversations.work import ChatWork

CATALOG = load_catalog()
LARGE, SMALL = "anthropic/claude-haiku-4.5", "sarvam-30b"
"""Models that write at most 64,000 and fewer than 20,000 tokens."""


def work_of(model: str, budget: object, **fields: Any) -> ChatWork:
    thinking = {"reasoning": {"max_tokens": budget}} if budget else {}
    body = {"model": model, "messages": [{"role": "user", "content": "Hello"}], **thinking, **fields}
    return parse("openai_chat", CATALOG, body, len(json.dumps(body)))


@pytest.mark.parametrize("budget", [1, MIN_BUDGET, 20_000, 63_000])
def test_limit_that_the_gateway_sets_has_room_for_thoughts_and_reply(budget: int) -> None:
    work = work_of(LARGE, budget)

    most = CATALOG.models[LARGE].max_output_tokens
    assert work.output_tokens == min(most, DEFAULT_OUTPUT_TOKENS + max(MIN_BUDGET, budget))
    assert work.output_tokens >= max(MIN_BUDGET, budget) + MIN_OUTPUT_TOKENS


@given(budget=st.integers(1, 60_000), share=st.floats(0, 1))
def test_shorter_reply_keeps_above_the_budget(budget: int, share: float) -> None:
    work = work_of(LARGE, budget)

    shorter = work.shorter(MicroCredits(int(work.estimate * share)))

    assert shorter is None or shorter.output_tokens >= max(MIN_BUDGET, budget) + MIN_OUTPUT_TOKENS
    assert shorter is None or shorter.estimate <= work.estimate * share


def test_shorter_reply_without_a_budget_may_be_as_short_as_ever() -> None:
    work = work_of(LARGE, None)
    shorter = work.shorter(MicroCredits(work.estimate // 30))

    assert shorter
    assert MIN_OUTPUT_TOKENS <= shorter.output_tokens < MIN_BUDGET


@pytest.mark.parametrize("models", [{"model": SMALL}, {"model": SMALL, "models": ["sarvam-105b"]}])
def test_budget_that_leaves_no_model_a_reply_is_named(models: dict[str, Any]) -> None:
    with pytest.raises(ApiError) as refused:
        work_of(budget=CATALOG.models["sarvam-105b"].max_output_tokens, **models)

    assert (refused.value.status, refused.value.param) == (400, "reasoning.max_tokens")
    assert SMALL in refused.value.message


@pytest.mark.parametrize("names", [(LARGE, SMALL), (SMALL, LARGE)])
@pytest.mark.parametrize("asked", [{}, {"max_tokens": 200_000}])
def test_model_without_room_is_skipped(names: tuple[str, str], asked: dict[str, Any]) -> None:
    budget = None if asked else CATALOG.models[SMALL].max_output_tokens

    work = work_of(names[0], budget, models=[names[1]], **asked)

    assert [model.id for model in work.models] == [LARGE]
    assert work.model_id == names[0]


def test_callers_own_limit_is_the_callers() -> None:
    assert work_of(LARGE, 5_000, max_tokens=400).output_tokens == 400


@pytest.mark.parametrize("budget", [-1, True, "a", 1.5, [], 10**30])
def test_budget_that_is_none_is_no_failure(budget: object) -> None:
    try:
        assert work_of(LARGE, budget).output_tokens == DEFAULT_OUTPUT_TOKENS
    except ApiError as refused:
        assert refused.param == "reasoning.max_tokens"


HAIKU = CATALOG.models[LARGE]
SONNET = CATALOG.models["anthropic/claude-sonnet-4.6"]
CALL = {"id": "a", "type": "function", "function": {"name": "look", "arguments": "{}"}}
CALLING = [{"role": "assistant", "tool_calls": [CALL]}, {"role": "tool", "tool_call_id": "a", "content": "x"}]
NEXT = [{"role": "assistant", "content": "x"}, {"role": "user", "content": "And?"}]


def sent_for(effort: str, limit: int, *turns: Any, model: Any = HAIKU, **fields: Any) -> Any:
    """What Anthropic gets for a chat with an effort and this output limit."""
    body = {"model": model.id, "messages": [{"role": "user", "content": "Hello"}, *turns], **fields}
    messages = open_dialect("anthropic_messages")
    written = messages.write_request(open_dialect("openai_chat").read_request({**body, "reasoning_effort": effort}))
    return messages.addressed(written, model, "claude", limit)


@given(effort=st.sampled_from(["minimal", "low", "medium", "high", "xhigh", "max"]), limit=st.integers(1, 64_000))
def test_effort_is_a_budget_for_a_model_without_efforts(effort: str, limit: int) -> None:
    """Claude Haiku 4.5 and older refuse adaptive thinking, and a budget of no room."""
    sent = sent_for(effort, limit)

    assert "output_config" not in sent
    assert ("thinking" in sent) == (limit > MIN_BUDGET)
    if "thinking" in sent:
        assert MIN_BUDGET <= sent["thinking"]["budget_tokens"] < sent["max_tokens"]
    assert sent_for(effort, limit, model=SONNET)["thinking"] == {"type": "adaptive"}


def test_effort_is_no_budget_in_a_turn_without_its_thoughts() -> None:
    assert "thinking" not in sent_for("high", 9_000, *CALLING)
    assert sent_for("high", 9_000, *CALLING, *NEXT)["thinking"]["budget_tokens"] == 7_200


def test_form_of_the_reply_stays_beside_a_budget() -> None:
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object", "properties": {}}}}

    assert "format" in sent_for("low", 9_000, response_format=wanted)["output_config"]


def test_thinking_that_is_no_wish_stays_as_it_is() -> None:
    thinking = {"type": "enabled", "budget_tokens": 2_000}
    body = {"model": HAIKU.id, "messages": [{"role": "user", "content": "Hello"}], "thinking": thinking}
    sent = open_dialect("anthropic_messages").addressed(body, HAIKU, "claude", 5_000)

    assert sent == {**body, "model": "claude", "max_tokens": 5_000}
