"""Bodies: whatever bytes come, a JSON object that every parser reads alike, or a 400."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from callmissed.errors import ApiError
from functions.inference.body import MAX_CONTAINERS, MAX_DEPTH, parse_object

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4), max_leaves=12
)
objects = st.dictionaries(texts, values, max_size=5)


@given(objects, st.booleans(), st.sampled_from([None, 2]))
def test_every_object_is_read_as_it_was_written(value: dict[str, Any], escaped: bool, indent: int | None) -> None:
    assert parse_object(json.dumps(value, ensure_ascii=escaped, indent=indent).encode()) == value


def tried(raw: bytes) -> dict[str, Any] | None:
    """The object, or None where it is refused."""
    try:
        return parse_object(raw)
    except ApiError as error:
        assert (error.status, error.code) == (400, "invalid_request_error")
        error.message.encode()  # it goes into a body
        return None


@given(st.binary(max_size=60))
@example(b'{"a": "\\ud800"}')
@example(b'{"\\ud800": 1, "\\ud800": 2}')
@example(b'{"a": 1e400}')
@example(b'{"a": -Infinity}')
@example(b"\xed\xa0\x80")
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    value = tried(raw)

    if value is not None:
        assert json.loads(raw) == value


@given(st.data(), objects)
def test_a_changed_byte_gives_an_object_that_can_be_sent_on_or_a_refusal(
    data: st.DataObject, value: dict[str, Any]
) -> None:
    raw = bytearray(json.dumps(value, ensure_ascii=data.draw(st.booleans())).encode())
    place = data.draw(st.integers(0, len(raw) - 1))
    raw[place] = data.draw(st.integers(0, 255))

    read = tried(bytes(raw))

    if read is not None:
        json.dumps(read, ensure_ascii=False, allow_nan=False).encode()


@given(objects, texts, scalars, scalars)
def test_a_doubled_key_is_refused_wherever_it_stands(inner: dict[str, Any], key: str, one: Any, other: Any) -> None:
    doubled = f"{{{json.dumps(key)}: {json.dumps(one)}, {json.dumps(key)}: {json.dumps(other)}}}"

    assert tried(doubled.encode()) is None
    assert tried(f'{{"a": [{json.dumps(inner)}, {doubled}]}}'.encode()) is None


@pytest.mark.parametrize("bracket", ["[]", "{}"])
@pytest.mark.parametrize("depth", [1, 2, MAX_DEPTH - 1, MAX_DEPTH, MAX_DEPTH + 1, 2 * MAX_DEPTH, 100_000])
def test_nesting_is_allowed_to_a_depth(bracket: str, depth: int) -> None:
    opening = bracket[0] if bracket == "[]" else '{"a":'
    inner = opening * (depth - 1) + ("1" if bracket == "{}" and depth > 1 else "") + bracket[1] * (depth - 1)

    read = tried(f'{{"x": {inner or 1}}}'.encode())

    assert (read is not None) == (depth <= MAX_DEPTH)


@given(st.integers(MAX_DEPTH, 400))
def test_width_is_not_depth(width: int) -> None:
    wide = {"messages": [{"role": "user", "content": [{"type": "text", "text": "[{["}]}] * width}

    assert parse_object(json.dumps(wide).encode()) == wide


@pytest.mark.parametrize("raw", [b"", b"[]", b"1", b'"x"', b"null", b"true"])
def test_what_is_no_object_is_refused(raw: bytes) -> None:
    assert tried(raw) is None


@pytest.mark.parametrize("container", [b"{}", b"[]", b'{"a":[1]}', b'"\\"",[[]]'], ids=str)
def test_body_of_too_many_objects_and_lists_is_refused_before_it_is_read(container: bytes) -> None:
    raw = b'{"a":[' + b",".join([container] * MAX_CONTAINERS) + b"], this is no JSON"

    with pytest.raises(ApiError, match="more than 100,000 objects and lists"):
        parse_object(raw)


def test_objects_and_lists_that_a_text_speaks_of_are_no_objects_and_lists() -> None:
    text = '"{}[]\\\n' * MAX_CONTAINERS

    assert parse_object(json.dumps({"a": [text] * 2}).encode()) == {"a": [text] * 2}
    assert len(parse_object(b'{"a":[' + b",".join([b"{}"] * (MAX_CONTAINERS - 2)) + b"]}")["a"]) == MAX_CONTAINERS - 2
