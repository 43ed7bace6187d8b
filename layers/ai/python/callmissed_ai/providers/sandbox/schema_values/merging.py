"""Several JSON schemas as one: `$ref` and `allOf` folded in, the narrower of two rules kept.

Rules that can't be merged exactly are taken from the later schema; callers validate values with the original.
"""

from collections.abc import Callable, Mapping
from typing import Any, cast
from urllib.parse import unquote

from callmissed_ai.providers.sandbox.schema_values.checks import SchemaError

Rules = dict[str, Any]
JsonSchema = Mapping[str, Any] | bool
_NUMERIC = {"number", "integer"}


def flatten(root: Mapping[str, Any], schema: JsonSchema, step: Callable[[], None]) -> Rules:
    """`schema` without `$ref` and `allOf`. Calls `step` for each part. Raises SchemaError if nothing can fit."""
    step()
    if isinstance(schema, bool):
        if not schema:
            raise SchemaError("no value fits the schema 'false'")
        return {}
    flat = dict(schema)
    reference = flat.pop("$ref", None)
    if reference is not None:
        flat = merge(flatten(root, _find(root, reference), step), flat)
    for part in flat.pop("allOf", ()):
        flat = merge(flat, flatten(root, part, step))
    return flat


def merge(first: Rules, second: Rules) -> Rules:
    """The rules of both schemas."""
    merged = dict(first)
    for name, rule in second.items():
        known = name in merged and merged[name] != rule
        merged[name] = _MERGES.get(name, _later)(merged[name], rule) if known else rule
    return merged


def _find(root: Mapping[str, Any], reference: str) -> JsonSchema:
    """The part of `root` that a local reference such as `#/$defs/item` points to."""
    if reference != "#" and not reference.startswith("#/"):
        raise SchemaError(f"'$ref' to '{reference[:80]}' is not supported by the sandbox")
    part: Any = root
    for step in reference.split("/")[1:]:
        name = unquote(step).replace("~1", "/").replace("~0", "~")
        try:
            part = part[int(name) if isinstance(part, list) else name]
        except (KeyError, IndexError, ValueError, TypeError):
            raise SchemaError(f"'$ref' to '{reference[:80]}' leads nowhere") from None
    if not isinstance(part, dict | bool):
        raise SchemaError(f"'$ref' to '{reference[:80]}' doesn't lead to a schema")
    return cast("JsonSchema", part)


def types_of(rule: object) -> list[str]:
    """The type names in the value of the keyword `type`."""
    return cast("list[str]", rule) if isinstance(rule, list) else [str(rule)]


def _both_types(first: object, second: object) -> list[str]:
    one, other = set(types_of(first)), set(types_of(second))
    common = [name for name in types_of(first) if name in other]
    if "number" not in common and "integer" not in common and one & _NUMERIC and other & _NUMERIC:
        common.append("integer")
    if not common:
        raise SchemaError(f"nothing is both of type {first} and of type {second}")
    return common


def _both_properties(first: Rules, second: Rules) -> Rules:
    shared = {name: {"allOf": [first[name], second[name]]} for name in first if name in second}
    return {**first, **second, **shared}


def _either_false(first: object, second: object) -> object:
    return first if first is False else second


def _later(_: object, second: object) -> object:
    return second


_MERGES: Mapping[str, Callable[[Any, Any], object]] = {
    "type": _both_types,
    "properties": _both_properties,
    "additionalProperties": _either_false,
    "required": lambda first, second: list(dict.fromkeys([*first, *second])),
    "enum": lambda first, second: [value for value in first if value in second],
    **dict.fromkeys(("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties", "minContains"), max),
    **dict.fromkeys(("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties", "maxContains"), min),
}
