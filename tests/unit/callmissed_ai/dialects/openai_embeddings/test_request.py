"""Embeddings requests: each way to give inputs, each limit, and a bound that holds for any text."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callmissed.errors import ApiError
from callmissed_ai.dialects.openai_embeddings.request import parse_embeddings
from callmissed_ai.tokens import counting
from tests.support.inference.any_json import anything

MODEL = "text-embedding-3-small"
texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


def parsed(value: Any, **fields: Any) -> Any:
    return parse_embeddings({"model": MODEL, "input": value, **fields})


@pytest.mark.parametrize(
    ("value", "inputs"),
    [
        ("Hello", ["Hello"]),
        (["Hello", "there"], ["Hello", "there"]),
        ([1, 2, 3], [[1, 2, 3]]),
        ([[1], [2, 3]], [[1], [2, 3]]),
        ([0], [[0]]),
        (["a"] * 128, ["a"] * 128),
        ([7] * 8192, [[7] * 8192]),
        ("x" * 100_000, ["x" * 100_000]),
    ],
    ids=["text", "texts", "tokens", "token lists", "token zero", "128 texts", "8192 tokens", "100000 characters"],
)
def test_every_kind_of_input_is_read(value: Any, inputs: list[Any]) -> None:
    assert parsed(value).inputs == inputs


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"input": ""}, "input"),
        ({"input": []}, "input"),
        ({"input": [[]]}, "input.0"),
        ({"input": ["a", ""]}, "input.1"),
        ({"input": ["a"] * 129}, "input"),
        ({"input": [[1]] * 129}, "input"),
        ({"input": [7] * 8193}, "input"),
        ({"input": [[7] * 8193]}, "input.0"),
        ({"input": ["x" * 50_000, "y" * 50_001]}, "input"),
        ({"input": [1, "a"]}, "input.1"),
        ({"input": ["a", 1]}, "input.1"),
        ({"input": [True]}, "input.0"),
        ({"input": [[1, False]]}, "input.0.1"),
        ({"input": [[1], "a"]}, "input.1"),
        ({"input": [[[1]]]}, "input.0.0"),
        ({"input": [2**31]}, "input.0"),
        ({"input": "\ud800"}, "input"),
        ({"input": ["a", "\udfff"]}, "input.1"),
        ({"input": [-1]}, "input.0"),
        ({"input": [1.0]}, "input.0"),
        ({"input": {"text": "a"}}, "input"),
        ({"input": None}, "input"),
        ({"model": ""}, "model"),
        ({"model": None}, "model"),
        ({"encoding_format": "int8"}, "encoding_format"),
        ({"dimensions": 0}, "dimensions"),
        ({"dimensions": True}, "dimensions"),
        ({"dimensions": 65_537}, "dimensions"),
        ({"dimensions": 10**400}, "dimensions"),
        ({"dimensions": 1.5}, "dimensions"),
        ({"dimensions": "256"}, "dimensions"),
        ({"user": "x" * 257}, "user"),
    ],
)
def test_field_that_is_wrong_is_named(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(ApiError) as refused:
        parse_embeddings({"model": MODEL, "input": "Hello", **fields})

    assert (refused.value.status, refused.value.code, refused.value.param) == (400, "invalid_request_error", param)


@given(st.dictionaries(st.sampled_from(["model", "input", "dimensions", "encoding_format", "user"]), anything))
def test_any_body_is_a_request_or_refused(body: dict[str, Any]) -> None:
    try:
        assert parse_embeddings(body).inputs
    except ApiError as error:
        assert (error.status, error.code) == (400, "invalid_request_error")
        assert error.param is not None


@given(st.lists(texts, min_size=1, max_size=5))
def test_bound_is_never_below_our_own_count(inputs: list[str]) -> None:
    request = parsed(inputs)

    assert sum(map(counting.count_text, inputs)) <= request.max_tokens(None)


def test_bound_keeps_to_the_window_of_each_input() -> None:
    assert parsed(["x" * 20_000, "y"]).max_tokens(8192) == 8192 + 1 + 2 * 8
    assert parsed([[1] * 100, [2]]).max_tokens(50) == 50 + 1 + 2 * 8
