"""The published documents are the ones that the code makes."""

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from callmissed.events.types import EVENT_TYPES
from callmissed.platform.routes import ROUTES, Auth
from functions.webhooks.events import document as schemas
from local.api_gateway import openapi
from tests.support.api_schemas import Schema, unnamed


@cache
def api_document() -> Schema:
    """The document as the code makes it, which takes a second."""
    return openapi.document()


def test_document_is_current() -> None:
    """Fails when routes or models changed and docs/api was not written anew."""
    assert json.loads(openapi.TARGET.read_text()) == api_document(), "run: python -m local.api_gateway.openapi"


def test_document_of_event_types_is_current() -> None:
    """Fails when event types changed and docs/api was not written anew."""
    document = schemas.document()

    assert json.loads(schemas.TARGET.read_text()) == document, "run: python -m functions.webhooks.events.document"
    assert [kind["name"] for kind in document["data"]] == list(EVENT_TYPES)


def test_document_has_every_route_of_the_route_table() -> None:
    """What the route table declares is documented, and nothing else is; what providers call is not for anybody else."""
    documented = {(method.upper(), path) for path, method, _ in operations()}
    declared = {(route.method, route.path.replace("+}", "}")) for route in ROUTES if route.auth is not Auth.SIGNED}
    assert documented == declared


def test_document_asks_for_a_key_where_the_route_table_does() -> None:
    keyed = {(method.upper(), path) for path, method, operation in operations() if "security" in operation}
    declared = {
        (route.method, route.path.replace("+}", "}"))
        for route in ROUTES
        if route.auth in (Auth.KEY, Auth.ACCOUNT, Auth.SESSION, Auth.OPERATOR)
    }
    assert keyed == declared


@pytest.mark.parametrize("part", ["requestBody", "200", "201", "202"])
def test_bodies_and_answers_of_webhooks_have_an_example(part: str) -> None:
    document = api_document()
    found = 0
    for path, _, operation in operations():
        content = (operation.get(part) or operation["responses"].get(part) or {}).get("content")
        if path.startswith("/api/v1/webhooks") and path != "/api/v1/webhooks/event-types" and content:
            assert '"example"' in json.dumps(resolved(document, content["application/json"]["schema"])), path
            found += 1
    assert found


def test_examples_have_no_field_that_their_schema_does_not_name() -> None:
    document = api_document()
    examples = list(documented_examples("", document))

    assert len(examples) > 20
    assert {place: found for place, schema, value in examples if (found := unnamed(document, schema, value))} == {}


def test_examples_fit_their_schema() -> None:
    document = api_document()
    components = {"components": document["components"]}

    assert {
        place: error.message
        for place, schema, value in documented_examples("", document)
        for error in Draft202012Validator({**schema, **components}).iter_errors(value)
    } == {}


@pytest.mark.parametrize("name", EVENT_TYPES)
def test_events_have_no_field_that_their_schema_does_not_name(name: str) -> None:
    (kind,) = [kind for kind in schemas.document()["data"] if kind["name"] == name]

    assert unnamed(kind["schema"], kind["schema"], kind["example"]) == []


def test_an_unnamed_field_is_found_at_every_depth() -> None:
    inner = {"type": "object", "properties": {"a": {}}, "additionalProperties": True}
    choice = {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/inner"}]}
    outer = {"type": "object", "properties": {"list": {"items": choice}}}
    map_of = {"type": "object", "additionalProperties": {"$ref": "#/$defs/inner"}}
    document = {"$defs": {"inner": inner}}

    assert unnamed(document, outer, {"list": [None, {"a": 1, "b": 2}], "c": 3}) == ["$.list[].b", "$.c"]
    assert unnamed(document, map_of, {"any": {"a": 1}, "other": {"b": {}}}) == ["$.other.b"]


def documented_examples(place: str, part: Any) -> Iterator[tuple[str, Schema, Any]]:
    """Place, schema and value of every example in `part`."""
    match part:
        case {"example": value, "properties": dict()} | {"example": value, "schema": _}:
            yield place, part.get("schema", part), value  # pyright: ignore[reportUnknownMemberType]
        case dict():
            for name, inner in part.items():  # pyright: ignore[reportUnknownVariableType]
                yield from documented_examples(f"{place}/{name}", inner)
        case _:
            pass


def operations() -> list[tuple[str, str, dict[str, Any]]]:
    """Path, method and description of everything that is documented."""
    paths = api_document()["paths"]
    return [(path, method, described) for path, methods in paths.items() for method, described in methods.items()]


def resolved(document: dict[str, Any], schema: dict[str, Any]) -> list[dict[str, Any]]:
    """The models that `schema` names."""
    text = json.dumps(schema)
    schemas_by_name = document["components"]["schemas"]
    return [found for name, found in schemas_by_name.items() if f'"#/components/schemas/{name}"' in text]
