"""Fields that an answer has and its schema in the OpenAPI document does not name."""

from collections.abc import Iterator
from typing import Any

from jsonschema import Draft202012Validator

Schema = dict[str, Any]


def unnamed(document: Schema, schema: Schema, value: Any, path: str = "$") -> list[str]:
    """Paths of the fields of `value`, at any depth, that `schema` of `document` does not name.

    A schema that allows further fields must name those that we send nevertheless. A map, which names no field at all,
    may hold any.
    """
    schema = _chosen(document, schema, value)
    match value:
        case dict():
            return list(_of_object(document, schema, value, path))  # pyright: ignore[reportUnknownArgumentType]
        case list():
            items = schema.get("items", {})
            return sorted({found for one in value for found in unnamed(document, items, one, f"{path}[]")})  # pyright: ignore[reportUnknownVariableType]
        case _:
            return []


def _of_object(document: Schema, schema: Schema, value: dict[str, Any], path: str) -> Iterator[str]:
    named, others = schema.get("properties"), schema.get("additionalProperties")
    for name, content in value.items():
        if named is None:
            yield from unnamed(document, others if isinstance(others, dict) else {}, content, f"{path}.{name}")  # pyright: ignore[reportUnknownArgumentType]
        elif name in named:
            yield from unnamed(document, named[name], content, f"{path}.{name}")
        else:
            yield f"{path}.{name}"


def _chosen(document: Schema, schema: Schema, value: Any) -> Schema:
    """The schema without references and choices: the first alternative that fits `value`."""
    if "$ref" in schema:
        named = document
        for step in schema["$ref"].removeprefix("#/").split("/"):
            named = named[step]
        return _chosen(document, named, value)
    shared = {name: document[name] for name in ("components", "$defs") if name in document}
    for alternative in schema.get("anyOf", schema.get("oneOf", [])):
        if Draft202012Validator({**alternative, **shared}).is_valid(value):
            return _chosen(document, alternative, value)
    return schema
