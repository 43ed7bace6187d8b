"""Schemas that Hypothesis makes up: satisfiable ones are filled, whatever ones filled or refused."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from callmissed_ai.providers.sandbox.schema_values.checks import SchemaError
from callmissed_ai.providers.sandbox.schema_values.filling import fill_schema
from callmissed_ai.providers.sandbox.schema_values.prompt_values import PromptValues
from tests.support.inference.schemas import FORMATS, INT, NULL, NUM, PATTERNS, PROMPT, TEXT, arr, filled

names = st.sampled_from(["city", "query", "count", "unit", "a b", "ü", "x"])


@st.composite
def bounded(draw: st.DrawFn, low: str, high: str, most: int) -> dict[str, int]:
    least = draw(st.integers(0, most))
    return draw(st.sampled_from([{}, {low: least}, {high: least}, {low: least, high: least + 3}]))


@st.composite
def strings(draw: st.DrawFn) -> dict[str, Any]:
    shaped = st.one_of(
        bounded("minLength", "maxLength", 40),
        st.sampled_from(FORMATS).map(lambda name: {"format": name}),
        st.sampled_from(["Paris", ""]).map(lambda text: {"default": text}),
        st.just({"examples": ["Rome", 3]}),
    )
    return TEXT | draw(shaped)


@st.composite
def figures(draw: st.DrawFn) -> dict[str, Any]:
    kind = draw(st.sampled_from([INT, NUM]))
    low = draw(st.integers(-1000, 1000))
    step = draw(st.sampled_from([{}, {"multipleOf": 3}, {"multipleOf": 0.5}]))
    bounds = draw(
        st.sampled_from([{}, {"minimum": low}, {"exclusiveMaximum": low}, {"minimum": low, "maximum": low + 6}])
    )
    return kind | step | bounds


constants = st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5), st.lists(st.integers(), max_size=2))
leaves = st.one_of(
    strings(),
    figures(),
    st.sampled_from([NULL, {"type": "boolean"}, {}, {"type": ["integer", "null"]}]),
    constants.map(lambda value: {"const": value}),
    st.lists(constants, min_size=1, max_size=4, unique_by=repr).map(lambda values: {"enum": values}),
)


def containers(inner: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    @st.composite
    def objects(draw: st.DrawFn) -> dict[str, Any]:
        properties = draw(st.dictionaries(names, inner, max_size=4))
        required = draw(st.lists(st.sampled_from(sorted(properties)), unique=True)) if properties else []
        return {
            "type": "object",
            "properties": properties,
            "required": required,
            "additionalProperties": draw(st.booleans()),
        }

    @st.composite
    def arrays(draw: st.DrawFn) -> dict[str, Any]:
        return arr(draw(inner), **draw(bounded("minItems", "maxItems", 3)))

    options = st.lists(inner, min_size=1, max_size=3)
    return st.one_of(
        objects(),
        arrays(),
        options.map(lambda schemas: {"anyOf": schemas}),
        inner.map(lambda schema: {"allOf": [schema]}),
        inner.map(lambda schema: {"oneOf": [schema, {"type": "boolean", "const": 7}]}),
        inner.map(lambda schema: {"$ref": "#/$defs/shared"} if schema == TEXT else schema),
    )


satisfiable = st.recursive(leaves, containers, max_leaves=12)


@settings(max_examples=100, deadline=None)
@given(schema=satisfiable, prompt=st.sampled_from([PROMPT, "", "Weather in New Delhi for 5 days"]))
def test_fills_generated_schemas(schema, prompt):
    filled({**schema, "$defs": {"shared": TEXT}}, prompt)


odd_rules = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["string", "integer", "number", "object", "array", ["string", "array"]]),
        "minimum": st.integers(-5, 5),
        "exclusiveMaximum": st.integers(-5, 5),
        "multipleOf": st.sampled_from([1, 2, 0.3, 1e-9, 1e300]),
        "minLength": st.integers(0, 30),
        "maxLength": st.integers(0, 30),
        "pattern": st.sampled_from(PATTERNS),
        "minItems": st.integers(0, 4),
        "uniqueItems": st.booleans(),
        "enum": st.lists(constants, min_size=1, max_size=3),
        "not": st.sampled_from([TEXT, INT, {"const": 1}, {}]),
        "minProperties": st.integers(0, 3),
    },
)
mixed = st.recursive(
    odd_rules,
    lambda inner: st.one_of(
        st.tuples(odd_rules, st.sampled_from(["anyOf", "oneOf", "allOf"]), st.lists(inner, min_size=1, max_size=3)).map(
            lambda parts: {**parts[0], parts[1]: parts[2]}
        ),
        st.tuples(odd_rules, inner, inner).map(lambda parts: {**parts[0], "if": parts[1], "then": parts[2]}),
        st.tuples(odd_rules, inner).map(lambda parts: {**parts[0], "items": parts[1], "contains": parts[1]}),
        st.tuples(odd_rules, names, inner).map(
            lambda parts: {**parts[0], "properties": {parts[1]: parts[2]}, "required": [parts[1]]}
        ),
    ),
    max_leaves=6,
)


@settings(max_examples=100, deadline=None)
@given(schema=mixed)
def test_whatever_the_schema_the_value_fits_or_the_schema_is_refused(schema):
    try:
        value = json.loads(fill_schema(schema, PromptValues(PROMPT)), parse_constant=pytest.fail)
    except SchemaError:
        return
    Draft202012Validator(schema).validate(value)
