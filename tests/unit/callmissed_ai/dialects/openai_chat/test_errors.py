"""Upstreams' refusals in our words."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callmissed_ai.dialects.openai_chat.errors import refusal_of
from tests.support.inference.any_json import anything

SECRET = "internal-detail-4711"


@given(anything)
def test_any_refusal_becomes_a_400(error: Any) -> None:
    refusal = refusal_of(error, "messages")

    assert refusal.status == 400
    assert refusal.code in ("invalid_request_error", "context_length_exceeded")


@given(st.dictionaries(st.sampled_from(["message", "type", "code", "param"]), st.just(f"No: {SECRET}")))
def test_an_upstreams_words_stay_with_us(error: dict[str, str]) -> None:
    refusal = refusal_of(error, "messages")

    assert SECRET not in f"{refusal.message}{refusal.param}{refusal.code}"


@pytest.mark.parametrize("prompt", ["messages", "input"])
def test_context_that_is_too_long_names_the_field_of_the_dialect(prompt: str) -> None:
    refusal = refusal_of({"code": "context_length_exceeded", "param": SECRET}, prompt)

    assert (refusal.param, refusal.code) == (prompt, "context_length_exceeded")
