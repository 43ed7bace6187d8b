"""JSON schemas for the reply's text, within what Anthropic's structured output takes.

Objects are closed there, and constraints of values are refused. Such a constraint stays visible to the model, in the
description; so do Anthropic's own SDKs. https://platform.claude.com/docs/en/build-with-claude/structured-outputs
"""

import json
from collections.abc import Mapping
from typing import Any, cast

from callmissed.errors import invalid_request

_REFUSED = frozenset(
    {
        *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
        *("minLength", "maxLength", "maxItems", "uniqueItems", "minProperties", "maxProperties"),
    }
)
_LISTS = ("anyOf", "allOf", "oneOf", "prefixItems")
_MAPS = ("properties", "$defs", "definitions", "patternProperties")
_SINGLE = ("items", "additionalItems", "not")


def supported_schema(schema: Mapping[str, Any]) -> dict[str, Any]:
    """`schema` as Anthropic takes it. Raises ApiError 400 for an object whose keys the model would choose."""
    if isinstance(schema.get("additionalProperties"), dict):
        message = "Invalid 'response_format': this model's provider takes no schema of an object with any keys."
        raise invalid_request(message, "response_format", "unsupported_field")
    kept = {name: value for name, value in schema.items() if not _is_refused(name, value)}
    moved = {name: value for name, value in schema.items() if _is_refused(name, value)}
    if moved:
        kept["description"] = "\n\n".join(filter(None, [schema.get("description"), _in_words(moved)]))
    if "oneOf" in kept and "anyOf" not in kept:
        kept["anyOf"] = kept.pop("oneOf")
    if kept.get("type") == "object" or "properties" in kept:
        kept["additionalProperties"] = False
    return {name: _inner(name, value) for name, value in kept.items()}


def _inner(name: str, value: Any) -> Any:
    if name in _LISTS and isinstance(value, list):
        return [_schema(each) for each in cast("list[Any]", value)]
    if name in _MAPS and isinstance(value, dict):
        return {key: _schema(each) for key, each in cast("dict[str, Any]", value).items()}
    return _schema(value) if name in _SINGLE else value


def _schema(value: Any) -> Any:
    return supported_schema(cast("dict[str, Any]", value)) if isinstance(value, dict) else value


def _is_refused(name: str, value: object) -> bool:
    return name in _REFUSED or (name == "minItems" and value not in (0, 1))


def _in_words(constraints: Mapping[str, Any]) -> str:
    return json.dumps(constraints, ensure_ascii=False)
