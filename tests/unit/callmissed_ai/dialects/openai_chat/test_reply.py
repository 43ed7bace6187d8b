"""What the model wrote, in any chunk or reply."""

from typing import Any

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
