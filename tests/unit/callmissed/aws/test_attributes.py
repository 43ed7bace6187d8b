"""DynamoDB's JSON: there and back, as boto3 writes and reads it, and no floats."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType
from typing import Any

import pytest
from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from callmissed.aws.attributes import from_attribute, from_item, to_attribute, to_item

NUMBERS = st.integers(-(10**38) + 1, 10**38 - 1)
SETS = st.frozensets(st.text(), min_size=1)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text() | SETS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)
ITEMS = st.dictionaries(st.text(min_size=1), VALUES, max_size=5)

plain = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])


def kinds(value: Any) -> Any:
    """A value with its types, because to Python True is 1."""
    if isinstance(value, dict):
        return {name: kinds(part) for name, part in value.items()}
    if isinstance(value, list):
        return [kinds(part) for part in value]
    return (type(value), value)


@plain
@given(ITEMS)
def test_an_item_comes_back_as_it_was(item: dict[str, Any]) -> None:
    assert kinds(from_item(json.loads(json.dumps(to_item(item))))) == kinds(item)


@plain
@given(VALUES)
def test_boto3_reads_what_we_write(value: Any) -> None:
    written: Any = to_attribute(value)

    assert TypeDeserializer().deserialize(written) == value


@plain
@given(VALUES)
def test_we_read_what_boto3_writes(value: Any) -> None:
    assert kinds(from_attribute(TypeSerializer().serialize(value))) == kinds(value)


class Colour(StrEnum):
    RED = "red"


@pytest.mark.parametrize(
    ("value", "attribute"),
    [
        ("", {"S": ""}),
        (Colour.RED, {"S": "red"}),
        (True, {"BOOL": True}),
        (False, {"BOOL": False}),
        (0, {"N": "0"}),
        (-7, {"N": "-7"}),
        (None, {"NULL": True}),
        (frozenset({"b", "a"}), {"SS": ["a", "b"]}),
        ({"b", "a"}, {"SS": ["a", "b"]}),
        ((1, "x"), {"L": [{"N": "1"}, {"S": "x"}]}),
        ([], {"L": []}),
        (b"\x00bytes", {"B": "AGJ5dGVz"}),
        ({}, {"M": {}}),
        (MappingProxyType({"n": 1}), {"M": {"n": {"N": "1"}}}),
    ],
)
def test_each_type(value: Any, attribute: dict[str, Any]) -> None:
    assert to_attribute(value) == attribute


@plain
@given(st.binary())
def test_bytes_come_back_as_they_were(value: bytes) -> None:
    assert from_attribute(json.loads(json.dumps(to_attribute(value)))) == value


@pytest.mark.parametrize(
    "value", [0.5, 1.0, float("nan"), Decimal(1), bytearray(b"bytes"), 1j, object(), datetime(2026, 11, 16, tzinfo=UTC)]
)
@pytest.mark.parametrize("inside", ["alone", "list", "map"])
def test_what_hot_items_never_hold_is_refused(value: Any, inside: str) -> None:
    wrapped = {"alone": value, "list": [1, [value]], "map": {"a": {"b": value}}}[inside]

    with pytest.raises(TypeError, match=type(value).__name__):
        to_item({"field": wrapped})


@pytest.mark.parametrize("text", ["0.5", "1e3", "-0.000001"])
def test_a_number_that_is_no_integer_is_not_read_as_one(text: str) -> None:
    with pytest.raises(ValueError, match=text):
        from_attribute({"N": text})
