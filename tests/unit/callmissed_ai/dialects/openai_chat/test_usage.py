"""Usage beside and inside any JSON."""

from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from callmissed_ai.dialects.openai_chat.usage import count_request, read_usage
from callmissed_ai.tokens.counting import count_text
from tests.support.inference.any_json import anything


@given(anything)
@example({"prompt_tokens": 10**30, "completion_tokens": 1})
@example({"prompt_tokens": True, "completion_tokens": 1})
def test_usage_makes_sense_or_is_none(value: Any) -> None:
    usage = read_usage(value)

    assert usage is None or 0 <= usage.cached + usage.cache_write <= usage.input <= 10**12


@given(st.integers(0, 100), st.integers(-9, 200), st.integers(-9, 200))
def test_cached_and_written_tokens_are_parts_of_the_input(read: int, cached: int, written: int) -> None:
    details = {"cached_tokens": cached, "cache_write_tokens": written}
    usage = read_usage({"prompt_tokens": read, "completion_tokens": 1, "prompt_tokens_details": details})

    assert usage is not None
    assert 0 <= usage.cached <= max(0, cached)
    assert 0 <= usage.cache_write <= max(0, written)
    assert usage.cached + usage.cache_write <= read


@given(st.integers(0, 10**12), st.integers(0, 10**12), anything)
def test_usage_is_read_beside_anything(read: int, written: int, details: Any) -> None:
    value = {"prompt_tokens": read, "completion_tokens": written, "prompt_tokens_details": details}

    usage = read_usage(value)

    assert usage is not None
    assert (usage.input, usage.output, usage.estimated) == (read, written, False)


def test_request_counts_its_texts_tools_and_images() -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    sound = {"type": "input_audio", "input_audio": {"data": "A" * 100_000, "format": "wav"}}
    body = {
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "name": "Eve", "content": [{"type": "text", "text": "What is this?"}, image, sound]},
            {"role": "assistant", "content": None},
        ],
        "tools": [{"type": "function", "x": None}],
        "stream": True,
        "stream_options": {"include_usage": True},
        "temperature": 0.5,
    }

    texts = ("type", "function", "x", "Be brief.", "Eve", "What is this?", "wav")
    assert count_request(body) == count_text("\n".join(texts)) + 3 * 4 + 2 * 258
