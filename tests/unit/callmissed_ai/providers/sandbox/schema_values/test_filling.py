import json
import math
from typing import Any

import pytest

from callmissed_ai.providers.sandbox.schema_values.checks import SchemaError
from callmissed_ai.providers.sandbox.schema_values.filling import fill_schema
from callmissed_ai.providers.sandbox.schema_values.prompt_values import PromptValues
from tests.support.inference.schemas import FORMATS, INT, NULL, NUM, PROMPT, TEXT, arr, filled, obj

NODE = obj(value=INT, next={"anyOf": [{"$ref": "#/$defs/node"}, NULL]})
TREE = obj(name=TEXT, children=arr({"$ref": "#"}))
SCHEMAS: dict[str, dict[str, Any]] = {
    "nothing said": {},
    "empty object": {"type": "object"},
    "flat": obj(a=TEXT, b=INT, c=NUM, d={"type": "boolean"}, e=NULL),
    "nested": obj(a=obj(b=obj(c=obj(d=obj(e=TEXT))))),
    "no required": {"type": "object", "properties": {"a": TEXT, "b": arr(INT)}},
    "required without a schema": {"type": "object", "required": ["x", "y"]},
    "at least three members": {"type": "object", "minProperties": 3},
    "a map": {"type": "object", "additionalProperties": INT, "minProperties": 2},
    "named members": {"type": "object", "minProperties": 2, "propertyNames": {"pattern": "^x-[a-z]{3}$"}},
    "few members": {"type": "object", "properties": {"a": TEXT, "b": TEXT}, "maxProperties": 1},
    "dependent members": {"properties": {"a": TEXT, "b": TEXT}, "required": ["a"], "dependentRequired": {"a": ["b"]}},
    "enum": {"enum": ["red", 3, None, {"a": 1}]},
    "enum of a type": {"type": "integer", "enum": ["red", 3]},
    "const": obj(kind={"const": "circle"}, none={"const": None}),
    "default": obj(a={"type": "string", "default": "d"}, b={"type": "integer", "default": "wrong"}),
    "examples": obj(a={"type": "string", "maxLength": 3, "examples": ["too long", "ok"]}),
    "string lengths": obj(a=TEXT | {"minLength": 30}, b=TEXT | {"maxLength": 2}, c=TEXT | {"maxLength": 0}),
    "string exact": arr(TEXT | {"minLength": 4, "maxLength": 4}, minItems=4, uniqueItems=True),
    "integer bounds": obj(a=INT | {"minimum": 10, "maximum": 11}, b=INT | {"maximum": -7}, c=INT | {"minimum": 10**18}),
    "integer open bounds": INT | {"exclusiveMinimum": 4, "exclusiveMaximum": 6},
    "number bounds": obj(a=NUM | {"minimum": 0.1, "maximum": 0.2}, b=NUM | {"exclusiveMinimum": 0, "maximum": 0.001}),
    "multiples": obj(
        a=INT | {"multipleOf": 7, "minimum": 50}, b=NUM | {"multipleOf": 0.1}, c=NUM | {"multipleOf": 2.5}
    ),
    "array sizes": obj(a=arr(TEXT, minItems=3), b=arr(INT, maxItems=0), c=arr(NUM, minItems=2, maxItems=2)),
    "unique integers": arr(INT | {"minimum": 3, "maximum": 9}, minItems=5, uniqueItems=True),
    "unique dates": arr(TEXT | {"format": "date"}, minItems=5, uniqueItems=True),
    "unique enum": arr({"enum": ["a", "b", "c"]}, minItems=3, uniqueItems=True),
    "unique objects": arr(obj(id=INT, name=TEXT), minItems=3, uniqueItems=True),
    "tuple": {"type": "array", "prefixItems": [TEXT, INT], "items": False, "minItems": 2},
    "tuple of draft 7": {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "type": "array",
        "items": [TEXT, INT],
        "additionalItems": False,
        "minItems": 2,
    },
    "contains": {"type": "array", "items": INT, "contains": {"minimum": 50}, "minContains": 2},
    "any of": {"anyOf": [{"type": "string", "maxLength": 1, "minLength": 1}, INT]},
    "any of with null": obj(a={"anyOf": [NULL, TEXT]}, b={"type": ["null", "integer"]}),
    "one of": {"oneOf": [obj(kind={"const": "a"}, x=INT), obj(kind={"const": "b"}, y=INT)]},
    "one of overlapping": {"oneOf": [NUM, INT]},
    "one of by required": obj([], a=TEXT, b=TEXT) | {"oneOf": [{"required": ["a"]}, {"required": ["b"]}]},
    "all of": {"allOf": [obj(a=TEXT) | {"additionalProperties": True}, {"required": ["b"], "properties": {"b": INT}}]},
    "all of numbers": {"allOf": [NUM | {"minimum": 3}, INT | {"maximum": 8}, {"multipleOf": 4}]},
    "not": INT | {"not": {"minimum": 0}},
    "not a word": {"type": "string", "enum": ["a", "b"], "not": {"const": "a"}},
    "if then": obj(["a"], a={"enum": [1, 2]}, b=TEXT)
    | {"if": {"properties": {"a": {"const": 1}}}, "then": {"required": ["b"]}},
    "if else": obj(["a"], a={"enum": [1, 2]}, b=TEXT)
    | {"if": {"properties": {"a": {"const": 1}}}, "then": False, "else": {"required": ["b"]}},
    "refs": {"$defs": {"id": INT | {"minimum": 5}}, **obj(a={"$ref": "#/$defs/id"}, b=arr({"$ref": "#/$defs/id"}))},
    "ref of draft 7": {"definitions": {"a/b c": TEXT}, **obj(x={"$ref": "#/definitions/a~1b%20c"})},
    "ref with company": {"$defs": {"n": INT}, "$ref": "#/$defs/n", "minimum": 77},
    "list": {"$defs": {"node": NODE}, "$ref": "#/$defs/node"},
    "tree": TREE,
    "tree with leaves": obj(name=TEXT, left={"anyOf": [{"$ref": "#"}, NULL]}, right={"anyOf": [{"$ref": "#"}, NULL]}),
    "list of objects": obj(items=arr(obj(sku=TEXT, count=INT), minItems=2)),
    "pydantic": {
        "$defs": {"Color": {"enum": ["red", "blue"], "title": "Color", "type": "string"}},
        "properties": {
            "color": {"$ref": "#/$defs/Color", "description": "of the car"},
            "doors": {"anyOf": [INT, NULL], "default": None, "title": "Doors"},
        },
        "required": ["color", "doors"],
        "title": "Car",
        "type": "object",
        "additionalProperties": False,
    },
}


@pytest.mark.parametrize("name", SCHEMAS)
@pytest.mark.parametrize("prompt", [PROMPT, ""])
def test_fills_a_schema(name, prompt):
    filled(SCHEMAS[name], prompt)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("prompt", [PROMPT, ""])
def test_fills_a_format(name, prompt):
    assert len(filled(arr(TEXT | {"format": name}, minItems=2), prompt)) == 2


def test_values_come_from_the_prompt():
    schema = obj(
        message=TEXT,
        email=TEXT | {"format": "email"},
        origin=TEXT,
        day=TEXT | {"format": "date"},
        bags=INT,
        weight=NUM,
        unit=TEXT,
        scale={"enum": ["celsius", "kelvin"]},
    )
    assert filled(schema) == {
        "message": PROMPT,
        "email": "anna@example.org",
        "origin": "Guten Tag",
        "day": "2026-03-04",
        "bags": 3,
        "weight": 12.5,
        "unit": "kelvin",
        "scale": "kelvin",
    }


def test_dates_are_those_of_a_calendar():
    dates = arr(TEXT | {"format": "date"})
    assert filled(dates, "2026-02-30, 2026-02-28, 2026-12-31") == ["2026-02-28", "2026-12-31"]


def test_members_of_tool_results_are_taken_by_name_unless_they_are_no_json():
    values = PromptValues("", ['{"a": {"b": "x", "c": 1e999}}', '{"d": NaN, "e": "\\ud800"}', "text"])
    schema = obj(b=TEXT, c=NUM, d=NUM, e=TEXT)
    assert json.loads(fill_schema(schema, values)) == {"b": "x", "c": 1, "d": 1, "e": "sandbox e"}


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("From Delhi to Mumbai", ["Delhi", "Mumbai"]),
        ("fly from delhi to mumbai", ["delhi", "mumbai"]),
        ("Compare New York and São Paulo, please", ["New York", "São Paulo"]),
        ('say "one two" and “three”', ["one two", "three"]),
    ],
)
def test_lists_take_all_that_the_prompt_names(prompt, expected):
    assert filled(arr(TEXT), prompt) == expected


def test_numbers_within_bounds_are_taken_and_others_left():
    assert filled(obj(a=INT | {"minimum": 10}, b=INT), "5 or 50") == {"a": 50, "b": 5}


def test_optional_parts_appear_when_spoken_of():
    schema = obj(["a"], a=INT, colour={"enum": ["red"]}, size=TEXT, other=TEXT)
    assert filled(schema, "Red, size: L") == {"a": 1, "colour": "red", "size": "L"}


@pytest.mark.parametrize(
    ("schema", "part"),
    [
        ({"type": "strin"}, "not valid under any of the given schemas"),
        ({"type": "object", "properties": []}, "is not of type 'object'"),
        (INT | {"minimum": 5, "maximum": 4}, "finds no value"),
        (obj(a=INT | {"enum": ["x"]}), "finds no value for 'a'"),
        ({"not": {}}, "finds no value"),
        (obj(a=False), "no value fits"),
        ({"allOf": [TEXT, INT]}, "nothing is both"),
        ({"$ref": "https://example.com/schema.json"}, "'$ref' to 'https://example.com/schema.json' is not supported"),
        ({"not": {"$ref": "https://example.com/schema.json"}, "type": "string"}, "outside of the schema"),
        ({"$ref": "#/$defs/missing"}, "leads nowhere"),
        ({"$ref": "#"}, "without end"),
        ({"$defs": {"n": obj(n={"$ref": "#/$defs/n"})}, "$ref": "#/$defs/n"}, "no end"),
        ({"patternProperties": {"^a": TEXT}}, "'patternProperties' is not supported"),
        (TEXT | {"pattern": "^(?=.*a)b"}, "look-around"),
        (TEXT | {"pattern": "(unclosed"}, "is not a 'regex'"),
        ({"const": "a" * 60 + "!", "pattern": "^(a+)+$"}, "too costly to be checked"),
        (arr(INT, minItems=10**9), "too large"),
        (TEXT | {"minLength": 10**15}, "finds no value"),
        (arr({"enum": [*range(3_000)]}, minItems=100), "too large"),
        (arr(INT | {"not": {"not": {"enum": [*range(4_000, 0, -1)]}}}, minItems=100), "too large"),
        ({"description": "x" * 100_000}, "longer than"),
        ({"const": math.inf}, "out of range"),
        (NUM | {"minimum": math.inf}, "finds no value"),
    ],
)
def test_what_cannot_be_filled_is_said(schema, part):
    with pytest.raises(SchemaError) as error:
        filled(schema)
    assert part in str(error.value)


def doubling(depth: int) -> dict[str, Any]:
    """Definitions that unfold to 2 ** depth parts."""
    parts = {f"a{i}": {"allOf": [{"$ref": f"#/$defs/a{i + 1}"}, {"$ref": f"#/$defs/a{i + 1}"}]} for i in range(depth)}
    return {**parts, f"a{depth}": TEXT}


@pytest.mark.parametrize(
    "schema",
    [
        {"$defs": doubling(40), "$ref": "#/$defs/a0"},
        {"$defs": doubling(40), "type": "string", "not": {"$ref": "#/$defs/a0"}},
        {"$defs": doubling(40), "type": "string", "not": {"unevaluatedProperties": False, "$ref": "#/$defs/a0"}},
        TEXT | {"pattern": "((a{1000}){1000}){1000}"},
        TEXT | {"pattern": "((((((a|b)*)*)*)*)*)*x", "minLength": 900},
        {"properties": {f"p{i}": {"$ref": "#"} for i in range(9)}, "required": [f"p{i}" for i in range(9)]},
    ],
    ids=["refs", "refs in not", "refs unevaluated", "repeats", "nested repeats", "branching"],
)
def test_bombs_are_defused(schema):
    with pytest.raises(SchemaError):
        fill_schema(schema, PromptValues(PROMPT))
