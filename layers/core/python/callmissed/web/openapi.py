"""What the OpenAPI documents of all slices say alike: errors, and FastAPI's guesses that are wrong here."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from types import GenericAlias
from typing import Any, cast

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from pydantic import BaseModel, TypeAdapter

from callmissed.idempotency.requests import HEADER
from callmissed.platform.routes import ROUTES, Auth
from callmissed.web.schemas import ErrorEnvelope

IDEMPOTENCY_KEY = {
    "name": HEADER,
    "in": "header",
    "schema": {"type": "string", "pattern": "^[!-~]{1,255}$"},
}
"""The parameter, without its description."""

_RUN_ONCE = IDEMPOTENCY_KEY | {
    "description": "Runs the request once in 24 hours. A replay carries `Idempotent-Replayed: true`."
}
_OF_PEOPLE = {(route.method, route.path) for route in ROUTES if route.auth is Auth.SESSION}

OPERATORS_PATH = "/api/v1/admin/"
OPERATOR_SECURITY: list[dict[str, list[str]]] = [{"operator": []}]
"""The security of operators' routes, all of which are below OPERATORS_PATH."""

JSON = "application/json"
UNCHANGED: dict[int | str, dict[str, Any]] = {304: {"description": "The caller has the answer already, by its `ETag`."}}
"""The response of a public route to a caller who sends `If-None-Match`."""

_ALWAYS = (429, 503)
_SIGNED_IN = (401, 403)
_OF_OPERATORS = (400, 403, 404, 413, 422)
_CHANGES = (400, 409, 413, 422)
_REFERENCE = "#/components/schemas/{model}"
_FASTAPI_ERRORS = ("HTTPValidationError", "ValidationError")


def answer(model: str, example: object) -> dict[str, Any]:
    """A response whose JSON has the schema of `model`, which the slice gives to `document_of`."""
    return {"content": {JSON: {"schema": reference(model), "example": example}}}


def either_answer(model: str, other: str, example: object) -> dict[str, Any]:
    """As `answer`, for a response that has one of two forms; the example has the first."""
    return {"content": {JSON: {"schema": _either(model, other), "example": example}}}


def errors(envelope: str, meanings: Mapping[int, str], other: str = "") -> dict[int | str, dict[str, Any]]:
    """A route's errors, whose JSON has the schema `envelope`, or `other` if given; `meanings` are by status."""
    content = {JSON: {"schema": _either(envelope, other) if other else reference(envelope)}}
    return {status: {"description": meanings[status], "content": content} for status in sorted(meanings)}


class ErrorResponses:
    """The errors of the routes of a slice for people and operators, whose `meanings` are by status."""

    def __init__(self, meanings: Mapping[int, str], *, of_public: Collection[int] = ()) -> None:
        """Public routes have the errors `of_public` beside those of every route."""
        self._meanings = meanings
        self._of_public = of_public

    def public(self, *statuses: int) -> dict[int | str, dict[str, Any]]:
        """The errors of a public route."""
        return self._errors(*self._of_public, *statuses)

    def session(self, *statuses: int, changes: bool = False) -> dict[int | str, dict[str, Any]]:
        """The errors of a route of signed-in people, and those of a request with a body if it `changes` something."""
        return self._errors(*_SIGNED_IN, *statuses, *(_CHANGES if changes else ()))

    def operator(self, *statuses: int) -> dict[int | str, dict[str, Any]]:
        """The errors of a route of operators: 404 without a signature, 403 for a wrong one or a missing right."""
        return self._errors(*_OF_OPERATORS, *statuses)

    def _errors(self, *statuses: int) -> dict[int | str, dict[str, Any]]:
        return errors("ErrorEnvelope", {status: self._meanings[status] for status in {*_ALWAYS, *statuses}})


def reference(model: str) -> dict[str, str]:
    """The schema of `model`. FastAPI would compile a model of each response when a function starts, for nothing."""
    return {"$ref": _REFERENCE.format(model=model)}


def _either(model: str, other: str) -> dict[str, Any]:
    return {"anyOf": [reference(model), reference(other)]}


def schemas_of(*models: type[BaseModel]) -> dict[str, Any]:
    """Schemas of `models`, and of those that they name."""
    found: dict[str, Any] = {}
    for model in models:
        schema = model.model_json_schema(ref_template=_REFERENCE)
        found |= schema.pop("$defs", {}) | {model.__name__: schema}
    return found


def people_document(routers: Iterable[APIRouter]) -> dict[str, Any]:
    """The OpenAPI 3.1 document of a slice whose routes are public, of signed-in people, or of operators."""
    document = document_of(routers, schemas_of(ErrorEnvelope))
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if path.startswith(OPERATORS_PATH):
                operation["security"] = OPERATOR_SECURITY
            if (method.upper(), path) not in _OF_PEOPLE:
                continue
            operation["security"] = [{"session": []}]
            if method in ("post", "put", "patch"):
                operation.setdefault("parameters", []).append(_RUN_ONCE)
    return document


def document_of(routers: Iterable[APIRouter], schemas: Mapping[str, Any]) -> dict[str, Any]:
    """The OpenAPI 3.1 document of `routers`, with more `schemas`.

    It lacks the 422 that FastAPI adds to every route with a parameter: a route declares its errors itself.
    """
    api = FastAPI(title="CallMissed")
    for router in routers:
        api.include_router(router)
    document = api.openapi()
    known = document.setdefault("components", {}).setdefault("schemas", {})
    for name in _FASTAPI_ERRORS:
        known.pop(name, None)
    for route in _routes(routers):
        _restore_nulls(document, route)
    known |= schemas
    for operations in document["paths"].values():
        for operation in operations.values():
            if _FASTAPI_ERRORS[0] in str(operation["responses"].get("422")):
                del operation["responses"]["422"]
    return document


def _routes(routers: Iterable[APIRouter]) -> Iterator[APIRoute]:
    return (route for router in routers for route in router.routes if isinstance(route, APIRoute))


def _restore_nulls(document: dict[str, Any], route: APIRoute) -> None:
    """Put the examples of a route and of its models in as they were written: FastAPI leaves out what is null."""
    body: Any = route.body_field.field_info.annotation if route.body_field else None
    both: Any = GenericAlias(tuple, (cast("Any", route).response_model, body))
    models = TypeAdapter[Any](both).json_schema().get("$defs", {})
    _copy_examples(models, document["components"]["schemas"])
    for method in route.methods or ():
        described = document["paths"][route.path_format].get(method.lower(), {"responses": {}})["responses"]
        for status, response in route.responses.items():
            _copy_examples(response.get("content", {}), described.get(str(status), {}).get("content", {}))


def _copy_examples(sources: Mapping[str, Any], targets: Mapping[str, Any]) -> None:
    for name, source in sources.items():
        if "example" in source and name in targets:
            targets[name]["example"] = source["example"]
