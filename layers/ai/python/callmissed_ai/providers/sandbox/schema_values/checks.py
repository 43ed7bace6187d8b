"""Validation of JSON schemas and of values by them, safe for schemas from untrusted callers.

The jsonschema library validates; it is imported at first use. Of a schema's regular expressions only cheap ones are
run; the others are assumed to match the texts that were made for them. References out of the schema are refused, and
following references is bounded.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sized
from importlib import import_module
from typing import Any, cast

from callmissed_ai.providers.sandbox.schema_values.patterns import is_tame, matches

_MAX_SCHEMA_BYTES = 100_000
_MAX_STEPS = 5_000
_MAX_EVALUATIONS = 50_000
_REFUSED = ('"patternProperties":', '"$schema":', '"$recursiveRef":')
_REFERENCES = ("$ref", "$dynamicRef")
_NOT_STRICT = ("allOf", "not", "dependentRequired", "dependentSchemas", "if", "then", "else")
_JsonSchema = Mapping[str, Any] | bool


class SchemaError(Exception):
    """A schema that is invalid, is not allowed here, or for which no fitting value was found."""


class TooLargeError(Exception):
    """Filling a schema takes more steps than the sandbox allows."""


class FillCounter:
    """Counts what filling the schemas of one request takes, because nobody pays for it."""

    def __init__(self) -> None:
        self._bytes = 0
        self._steps = 0
        self._evaluations = 0

    def read(self, length: int) -> None:
        """Count a schema of so many bytes. Raises SchemaError when there have been too many."""
        self._bytes += length
        if self._bytes > _MAX_SCHEMA_BYTES:
            which = "the schema is" if length > _MAX_SCHEMA_BYTES else "the schemas of all calls are"
            raise SchemaError(f"{which} longer than {_MAX_SCHEMA_BYTES} bytes")

    def step(self) -> None:
        """Count one step of work. Raises TooLargeError when there have been too many."""
        self._steps += 1
        _check(self._steps <= _MAX_STEPS)

    def evaluate(self, keywords: int) -> None:
        """Count so many keywords that a value is compared with. Raises TooLargeError when there have been too many."""
        self._evaluations += keywords
        _check(self._evaluations <= _MAX_EVALUATIONS)


def _check(is_within_limits: bool) -> None:
    if not is_within_limits:
        raise TooLargeError("the schema is too large, or unfolds to something too large")


class FitCheck:
    """Checks whether values fit parts of one schema. Raises SchemaError for an invalid schema."""

    def __init__(self, schema: Mapping[str, Any], counter: FillCounter) -> None:
        rules = {name: rule for name, rule in schema.items() if name != "$schema"}
        text = json.dumps(rules, separators=(",", ":"))
        counter.read(len(text))
        refused = next((word for word in _REFUSED if word in text), None)
        if refused:
            raise SchemaError(f"{refused[1:-2]!r} is not supported by the sandbox")
        self._counter = counter
        self._written: set[tuple[str, str]] = set()
        self._validator = self._make_validator(schema, rules)

    def fits(self, value: object, schema: _JsonSchema) -> bool:
        """Whether `value` fits `schema`, a part of the schema that it was made for."""
        try:
            return self._validator.evolve(schema=schema).is_valid(value)
        except import_module("referencing.exceptions").Unresolvable:
            raise SchemaError("a '$ref' leads nowhere, or outside of the schema") from None

    def trust(self, text: str, pattern: str) -> None:
        """Assume that `text`, which was made for `pattern`, matches it."""
        self._written.add((pattern, text))

    def step(self) -> None:
        """See `FillCounter.step`."""
        self._counter.step()

    def compare(self, options: Sized) -> None:
        """Count the comparison with each of `options`. Raises as `FillCounter.evaluate` does."""
        self._counter.evaluate(len(options))

    def _make_validator(self, schema: Mapping[str, Any], rules: Mapping[str, Any]) -> Any:
        library: Any = import_module("jsonschema")
        validators: Any = import_module("jsonschema.validators")
        kind: Any = validators.validator_for(schema, default=library.Draft202012Validator)
        try:
            kind.check_schema(rules)
        except library.SchemaError as error:
            raise SchemaError(str(error.message)[:200]) from None
        ignored = dict.fromkeys(("unevaluatedProperties", "unevaluatedItems"), _accept)
        counted = {name: self._counted(name, keyword) for name, keyword in kind.VALIDATORS.items()}
        guarded: Any = validators.extend(kind, counted | ignored | {"pattern": self._match})
        return guarded(rules, registry=import_module("referencing").Registry())

    def _match(self, _: Any, pattern: str, value: object, __: Any) -> Iterator[Any]:
        if not isinstance(value, str) or (pattern, value) in self._written:
            return
        if not is_tame(pattern):
            raise SchemaError("the pattern is too costly to be checked by the sandbox")
        if not matches(pattern, value):
            yield import_module("jsonschema").ValidationError("the pattern does not match")

    def _counted(self, name: str, keyword: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
        def evaluate(validator: Any, rule: Any, *arguments: Any) -> Iterator[Any]:
            self._counter.evaluate(len(rule) if name == "enum" else 1)
            if name in _REFERENCES:
                self._counter.step()
            yield from keyword(validator, rule, *arguments) or ()

        return evaluate


def _accept(*_: Any) -> Iterator[Any]:
    yield from ()


def check_is_object(schema: Mapping[str, Any]) -> None:
    """Check a schema by OpenAI's rule that its root is an object. Raises SchemaError."""
    if schema.get("type") != "object":
        found = json.dumps(schema.get("type"))[:80]
        raise SchemaError(f"schema must be a JSON Schema of 'type: \"object\"', got 'type: {found}'.")


def check_strict(schema: object, context: tuple[str, ...] = ()) -> None:
    """Check `schema` by OpenAI's rules for `strict: true`. Raises SchemaError with the place and the rule."""
    if not isinstance(schema, dict):
        return
    rules = cast("dict[str, Any]", schema)
    forbidden = next((name for name in _NOT_STRICT if name in rules), None)
    if forbidden:
        raise SchemaError(f"In context={context}, '{forbidden}' is not permitted.")
    if rules.get("type") == "object" or "properties" in rules:
        _check_closed(rules, context)
    for place, part in _parts(rules):
        check_strict(part, (*context, *place))


def _check_closed(rules: Mapping[str, Any], context: tuple[str, ...]) -> None:
    if rules.get("additionalProperties") is not False:
        text = "'additionalProperties' is required to be supplied and to be false."
        raise SchemaError(f"In context={context}, {text}")
    properties, required = rules.get("properties"), rules.get("required")
    names = cast("dict[str, Any]", properties) if isinstance(properties, dict) else {}
    listed = cast("list[Any]", required) if isinstance(required, list) else []
    missing = [name for name in names if name not in listed]
    if missing:
        text = "'required' is required to be supplied and to be an array including every key in properties."
        raise SchemaError(f"In context={context}, {text} Missing '{missing[0]}'.")


def _parts(rules: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], object]]:
    for keyword in ("properties", "$defs", "definitions"):
        group = rules.get(keyword)
        if isinstance(group, dict):
            yield from (((keyword, name), part) for name, part in cast("dict[str, Any]", group).items())
    options = rules.get("anyOf")
    if isinstance(options, list):
        yield from ((("anyOf", str(index)), part) for index, part in enumerate(cast("list[Any]", options)))
    yield ("items",), rules.get("items")
