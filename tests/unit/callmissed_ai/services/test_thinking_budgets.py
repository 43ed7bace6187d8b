"""Output limits beside a budget for thinking: what the gateway sets or shortens stays above the budget."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callmissed.catalog.loader import load_catalog
from callmissed.errors import ApiError
from callmissed.money import MicroCredits
from callmissed_ai.dialects.reasoning.budget import MIN_BUDGET
from callmissed_ai.services.chat import DEFAULT_OUTPUT_TOKENS, MIN_OUTPUT_TOKENS, ChatWork, parse

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


@pytest.mark.parametrize("models", [{"model": SMALL}, {"model": LARGE, "models": [SMALL]}])
def test_budget_that_leaves_a_model_no_reply_is_named(models: dict[str, Any]) -> None:
    with pytest.raises(ApiError) as refused:
        work_of(budget=CATALOG.models[SMALL].max_output_tokens, **models)

    assert (refused.value.status, refused.value.param) == (400, "reasoning.max_tokens")
    assert SMALL in refused.value.message


def test_callers_own_limit_is_the_callers() -> None:
    assert work_of(LARGE, 5_000, max_tokens=400).output_tokens == 400


@pytest.mark.parametrize("budget", [-1, True, "a", 1.5, [], 10**30])
def test_budget_that_is_none_is_no_failure(budget: object) -> None:
    try:
        assert work_of(LARGE, budget).output_tokens == DEFAULT_OUTPUT_TOKENS
    except ApiError as refused:
        assert refused.param == "reasoning.max_tokens"
