"""Usage where providers put it."""

from typing import Any

import pytest

from callmissed_ai.dialects.openai_chat.usage import read_usage, reported_usage
from callmissed_ai.tokens.usage import TokenUsage

PLAIN = {"prompt_tokens": 11, "completion_tokens": 7}


@pytest.mark.parametrize(
    ("more", "used"),
    [
        ({}, TokenUsage(11, 7)),
        ({"total_tokens": 18}, TokenUsage(11, 7)),
        ({"total_tokens": 112, "completion_tokens_details": {"reasoning_tokens": 94}}, TokenUsage(11, 101)),
        ({"total_tokens": 3}, TokenUsage(11, 7)),
        ({"total_tokens": None}, TokenUsage(11, 7)),
        ({"total_tokens": "99"}, TokenUsage(11, 7)),
        ({"prompt_cache_hit_tokens": 4, "prompt_cache_miss_tokens": 7}, TokenUsage(11, 7, 4)),
        ({"cached_tokens": 4}, TokenUsage(11, 7, 4)),
        ({"cached_tokens": 400}, TokenUsage(11, 7, 11)),
        ({"cached_tokens": 9, "prompt_tokens_details": {"cached_tokens": 4}}, TokenUsage(11, 7, 4)),
        ({"prompt_tokens_details": [], "cached_tokens": True}, TokenUsage(11, 7)),
    ],
)
def test_usage_is_read_in_each_providers_words(more: dict[str, Any], used: TokenUsage) -> None:
    assert read_usage(PLAIN | more) == used


@pytest.mark.parametrize(
    ("chunk", "found"),
    [
        ({"usage": PLAIN}, PLAIN),
        ({"usage": None, "x_groq": {"usage": PLAIN}}, PLAIN),
        ({"choices": [{"usage": PLAIN}]}, PLAIN),
        ({"choices": [], "x_groq": {"id": "1"}}, None),
        ({"choices": "x", "x_groq": "y"}, None),
        ({"choices": [1]}, None),
        ({}, None),
    ],
)
def test_usage_is_found_in_a_chunk(chunk: dict[str, Any], found: Any) -> None:
    assert reported_usage(chunk) == found
