"""Usage beside and inside any JSON."""

from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from callmissed_ai.dialects.openai_chat.usage import read_usage
from tests.support.inference.any_json import anything


@given(anything)
@example({"prompt_tokens": 10**30, "completion_tokens": 1})
@example({"prompt_tokens": True, "completion_tokens": 1})
def test_usage_makes_sense_or_is_none(value: Any) -> None:
    usage = read_usage(value)

    assert usage is None or 0 <= usage.cached <= usage.input <= 10**12


@given(st.integers(0, 10**12), st.integers(0, 10**12), anything)
def test_usage_is_read_beside_anything(read: int, written: int, details: Any) -> None:
    value = {"prompt_tokens": read, "completion_tokens": written, "prompt_tokens_details": details}

    usage = read_usage(value)

    assert usage is not None
    assert (usage.input, usage.output, usage.estimated) == (read, written, False)
