"""Vectors in the order and the encoding that the caller asked for, whatever the upstream sent."""

import base64
import json
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callmissed_ai.dialects.json_reply import UnusableReply
from callmissed_ai.dialects.openai_embeddings.reply import converted_reply, read_input_tokens
from tests.support.inference.any_json import anything

FLOATS = [[0.5, -0.25], [1.0, 3.0]]

numbers = st.floats(width=32, allow_nan=False, allow_infinity=False)


def packed(*numbers: float) -> str:
    return base64.b64encode(struct.pack(f"<{len(numbers)}f", *numbers)).decode()


BASE64 = [packed(*vector) for vector in FLOATS]


def reply_of(vectors: list[Any], order: tuple[int, ...] = (0, 1), **more: Any) -> dict[str, Any]:
    data = [{"object": "embedding", "index": index, "embedding": vectors[index]} for index in order]
    return {"object": "list", "data": data, "model": "upstream", "usage": {"prompt_tokens": 2}, **more}


def passed(reply: dict[str, Any], encoding: Any = "float", dimensions: int | None = None, inputs: int = 2) -> bytes:
    body = json.dumps(reply).encode()
    return converted_reply(body, reply, inputs=inputs, encoding=encoding, dimensions=dimensions)


@pytest.mark.parametrize(("vectors", "encoding"), [(FLOATS, "float"), (BASE64, "base64")])
def test_reply_that_is_as_asked_passes_byte_for_byte(vectors: list[Any], encoding: str) -> None:
    reply = reply_of(vectors)

    assert passed(reply, encoding) == json.dumps(reply).encode()


@pytest.mark.parametrize("sent", [FLOATS, BASE64], ids=["floats", "base64"])
@pytest.mark.parametrize(("encoding", "wanted"), [("float", FLOATS), ("base64", BASE64)])
@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_vectors_are_encoded_and_ordered_as_asked(
    sent: list[Any], encoding: str, wanted: list[Any], order: tuple[int, ...]
) -> None:
    answer = json.loads(passed(reply_of(sent, order), encoding))

    assert answer == reply_of(wanted)


@given(st.lists(numbers, min_size=1, max_size=20))
def test_conversion_there_and_back_keeps_float32(vector: list[float]) -> None:
    there = json.loads(passed(reply_of([vector], (0,), extra=1), "base64", inputs=1))
    back = json.loads(passed(there, "float", inputs=1))

    assert struct.unpack(f"<{len(vector)}f", base64.b64decode(there["data"][0]["embedding"])) == tuple(vector)
    assert back["data"][0]["embedding"] == vector


@pytest.mark.parametrize(
    "reply",
    [
        {},
        {"data": None},
        {"data": []},
        {"data": [5, 6]},
        {"error": {"message": "no"}},
        reply_of(FLOATS, (0,)),
        reply_of(FLOATS, (0, 0)),
        reply_of(FLOATS, (0, 1, 0)),
        reply_of([[0.5], [True]]),
        reply_of([[0.5], ["x"]]),
        reply_of([[0.5], []]),
        reply_of([[0.5], None]),
        reply_of([[0.5], [float("nan")]]),
        reply_of([[0.5], [float("inf")]]),
        reply_of([[0.5], [10**400]]),
        reply_of([BASE64[0], "not base64!"]),
        reply_of([BASE64[0], "AAA="]),
        reply_of([BASE64[0], packed(1.0, float("nan"))]),
        reply_of([BASE64[0], packed(float("inf"), float("-inf"))]),
    ],
)
@pytest.mark.parametrize("encoding", ["float", "base64"])
def test_reply_without_one_vector_an_input_is_unusable(reply: dict[str, Any], encoding: str) -> None:
    with pytest.raises(UnusableReply):
        passed(reply, encoding, dimensions=2)


@pytest.mark.parametrize("vectors", [[[0.5], [0.5, 1.0]], [packed(0.5), packed(0.5, 1.0)], ["", ""]])
@pytest.mark.parametrize("encoding", ["float", "base64"])
def test_vectors_of_different_sizes_or_of_none_are_unusable(vectors: list[Any], encoding: str) -> None:
    with pytest.raises(UnusableReply):
        passed(reply_of(vectors), encoding)


def test_index_that_is_no_number_is_unusable() -> None:
    data = [{"index": index, "embedding": [0.5]} for index in (False, True)]

    with pytest.raises(UnusableReply):
        passed({"data": data})


@pytest.mark.parametrize("value", ["\ud800", float("nan"), {"\udfff": 1}])
def test_reply_that_cannot_be_written_again_is_unusable(value: Any) -> None:
    reply = reply_of(FLOATS, x_unknown=value)

    with pytest.raises(UnusableReply):
        passed(reply, "base64")


def test_number_beyond_float32_can_only_be_sent_as_a_number() -> None:
    reply = reply_of([[1e300], [1.0]])

    assert json.loads(passed(reply))["data"][0]["embedding"] == [1e300]
    with pytest.raises(UnusableReply):
        passed(reply, "base64")


@pytest.mark.parametrize("sent", [FLOATS, BASE64], ids=["floats", "base64"])
@pytest.mark.parametrize("encoding", ["float", "base64"])
def test_vectors_of_another_size_than_asked_are_unusable(sent: list[Any], encoding: str) -> None:
    passed(reply_of(sent), encoding, dimensions=2)
    with pytest.raises(UnusableReply):
        passed(reply_of(sent), encoding, dimensions=3)


@given(anything)
def test_any_data_is_vectors_or_unusable(data: Any) -> None:
    for encoding in ("float", "base64"):
        try:
            passed({"data": data}, encoding, inputs=1)
        except UnusableReply:
            continue


@pytest.mark.parametrize(
    ("usage", "tokens"),
    [
        ({"prompt_tokens": 5, "total_tokens": 9}, 5),
        ({"total_tokens": 9}, 9),
        ({"prompt_tokens": 0}, 0),
        ({"prompt_tokens": None, "total_tokens": 3}, 3),
        ({"prompt_tokens": -1}, None),
        ({"prompt_tokens": True}, None),
        ({"prompt_tokens": 10**13}, None),
        ({}, None),
        (None, None),
        ([5], None),
    ],
)
def test_reported_tokens_are_read_where_they_make_sense(usage: Any, tokens: int | None) -> None:
    assert read_input_tokens(usage) == tokens
