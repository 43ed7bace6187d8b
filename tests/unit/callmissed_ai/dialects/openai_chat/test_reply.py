"""What the model wrote, in any chunk or reply."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callmissed_ai.dialects.openai_chat.reply import written_text
from tests.support.inference.any_json import anything, texts


@given(anything, st.dictionaries(st.sampled_from(["choices", "usage", "x"]), anything))
def test_any_chunk_has_a_text(value: Any, chunk: dict[str, Any]) -> None:
    for reply in (chunk, {"choices": value}, {"choices": [{"delta": value, "message": value}]}):
        assert isinstance(written_text(reply), str)


@given(texts, texts, texts, texts)
def test_all_that_was_written_is_returned(thought: str, text: str, name: str, arguments: str) -> None:
    message = {
        "reasoning_content": thought,
        "content": text,
        "tool_calls": [{"function": {"name": name, "arguments": arguments}}],
    }

    assert written_text({"choices": [{"message": message}]}) == thought + text + name + arguments


WRITTEN = "word " * 300
PLACES: list[dict[str, Any]] = [
    {"content": WRITTEN},
    {"content": [{"type": "text", "text": WRITTEN}]},
    {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": WRITTEN}]}]},
    {"refusal": WRITTEN},
    {"reasoning": WRITTEN},
    {"reasoning_content": WRITTEN},
    {"reasoning_details": [{"type": "reasoning.text", "text": WRITTEN, "signature": "c2ln" * 99, "id": "1"}]},
    {"reasoning_content": WRITTEN, "reasoning": WRITTEN, "reasoning_details": [{"summary": WRITTEN}]},
    {"function_call": {"name": "f", "arguments": WRITTEN}},
    {"tool_calls": [{"id": "call_" * 99, "type": "function", "function": {"name": "f", "arguments": WRITTEN}}]},
    {"tool_calls": [{"id": "call_1", "type": "function", "function": {"name": WRITTEN, "arguments": "{}"}}]},
    {"tool_calls": [{"id": "call_1", "type": "custom", "custom": {"name": "f", "input": WRITTEN}}]},
    {"audio": {"id": "audio_1", "data": "UklG" * 999, "transcript": WRITTEN, "expires_at": 1}},
    {"something_new": {"deep": [WRITTEN]}},
]


@pytest.mark.parametrize("place", PLACES, ids=lambda place: " ".join(place))
@pytest.mark.parametrize("kind", ["delta", "message"])
def test_text_counts_the_same_wherever_the_model_wrote_it(place: dict[str, Any], kind: str) -> None:
    message = {"role": "assistant", "content": None, "annotations": [{"url_citation": {"title": "x" * 999}}], **place}

    assert len(WRITTEN) <= len(written_text({"choices": [{"index": 0, kind: message}]})) < len(WRITTEN) * 1.1
