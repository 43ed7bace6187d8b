"""Requests: bounds that hold for any text, and readers that stand any JSON."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from callmissed.errors import ApiError
from callmissed_ai.dialects.openai_chat.request import content_parts, max_input_tokens, parse_chat
from callmissed_ai.dialects.openai_chat.usage import count_request
from callmissed_ai.tokens import counting as tokens
from tests.support.inference.any_json import anything, texts

odd_texts = texts | st.text('\ue000\U000f0000\u200b\u0600\U0001f600\u0001\\"\n é', max_size=200)
parts = st.builds(lambda text: {"type": "text", "text": text}, odd_texts) | st.builds(
    lambda kind, value: {"type": kind, kind: value},
    st.sampled_from(["image_url", "input_image", "input_audio", "file", "new"]),
    anything,
)
messages = st.builds(
    lambda role, content, more: {"role": role, "content": content, **more},
    st.sampled_from(["user", "system", "assistant"]),
    odd_texts | st.none() | st.lists(parts, max_size=4),
    st.dictionaries(st.sampled_from(["name", "refusal", "reasoning", "tool_calls", "audio"]), anything, max_size=2),
)
further = st.dictionaries(st.sampled_from(["response_format", "user", "metadata", "stop", "n", "x"]), anything)
tools = st.lists(st.dictionaries(odd_texts, anything, max_size=3), max_size=3)


@given(st.lists(messages, min_size=1, max_size=5), tools, further)
@example([{"role": "user", "content": "\ue000" * 500}], [{"\ue000" * 200: True}], {})
@example([{"role": "user", "content": [{"type": "new"}] * 500}], [], {})
@example([{"role": "user", "content": [{"type": "image_url", "image_url": {"url": [1e15] * 500}}]}], [], {})
def test_the_bound_is_never_below_our_own_count(
    chat: list[dict[str, Any]], given_tools: list[dict[str, Any]], more: dict[str, Any]
) -> None:
    body = {"model": "m", "messages": chat, "tools": given_tools, **more}
    size = len(json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode())

    assert count_request(body) <= max_input_tokens(content_parts(body), size)


@given(odd_texts)
def test_a_text_has_no_more_tokens_than_bytes(text: str) -> None:
    assert tokens.count_text(text) <= len(text.encode())


def test_half_a_surrogate_pair_is_counted() -> None:
    assert tokens.count_text("\ud83d") > 0


@given(st.dictionaries(st.sampled_from(["model", "messages", "stream", "tools", "n", "max_tokens"]), anything))
def test_any_body_is_a_request_or_refused(body: dict[str, Any]) -> None:
    try:
        assert parse_chat(body).messages
    except ApiError as error:
        assert (error.status, error.code) == (400, "invalid_request_error")
        assert error.param is not None


@pytest.mark.parametrize(
    ("fields", "limits"),
    [
        ({}, {}),
        ({"max_tokens": 5}, {"max_tokens": 5}),
        ({"max_tokens": None, "max_completion_tokens": 7}, {"max_completion_tokens": 7}),
        ({"max_tokens": 5, "max_completion_tokens": 7}, {"max_completion_tokens": 7, "max_tokens": 5}),
    ],
)
def test_limits_are_read_by_their_field(fields: dict[str, Any], limits: dict[str, int]) -> None:
    request = parse_chat({"model": "m", "messages": [{"role": "user", "content": "x"}], **fields})

    assert request.output_limits == limits


def test_models_are_asked_each_once_in_order() -> None:
    body = {"model": "a", "models": ["b", "a", "c", "b"], "messages": [{"role": "user", "content": "x"}]}

    assert parse_chat(body).model_ids == ["a", "b", "c"]
