"""What the OpenAPI document says of `/v1` and the catalog, from the same routes and models that serve them."""

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI

from callmissed.idempotency.requests import HEADER
from functions.inference.call_router import CallDescription, CallRouter
from functions.inference.routes import ROUTERS

_KEY = {
    "name": HEADER,
    "in": "header",
    "schema": {"type": "string", "pattern": "^[!-~]{1,255}$"},
    "description": "Runs and charges a blocking call once in 24 hours. A replay carries `Idempotent-Replayed: true`.",
}


def document() -> dict[str, Any]:
    """This slice's part of the OpenAPI 3.1 document."""
    api = FastAPI(title="CallMissed")
    for router in ROUTERS:
        api.include_router(router)
    schema = api.openapi()
    schemas = schema.setdefault("components", {}).setdefault("schemas", {})
    for path, description in _descriptions():
        request = description.request.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas |= request.pop("$defs", {}) | {description.request.__name__: request}
        _describe(schema["paths"][path]["post"], description)
    for path, operations in schema["paths"].items():
        if path.startswith("/v1/"):
            for operation in operations.values():
                operation["security"] = [{"key": []}]
    return schema


def _descriptions() -> Iterator[tuple[str, CallDescription]]:
    for router in ROUTERS:
        if isinstance(router, CallRouter):
            yield from router.descriptions.items()


def _describe(operation: dict[str, Any], description: CallDescription) -> None:
    schema = {"$ref": f"#/components/schemas/{description.request.__name__}"}
    body = {"schema": schema, "example": description.example}
    operation["parameters"] = [_KEY]
    operation["requestBody"] = {"required": True, "content": {"application/json": body}}
    refusals = {status: {"description": meaning} for status, meaning in _REFUSALS.items()}
    operation["responses"] = {"200": dict(description.answer), **refusals}


_REFUSALS = {
    "400": "`invalid_request_error`, `unsupported_image_input`, `context_length_exceeded`, `invalid_idempotency_key`",
    "401": "`invalid_api_key`: no key, an unknown, revoked or expired one",
    "402": "`insufficient_credits`, `budget_exceeded`",
    "403": "`permission_denied`, `domain_not_allowed`, `model_not_allowed`, `model_not_available`, `account_inactive`",
    "404": "`model_not_found`",
    "409": "`idempotency_conflict`, `idempotency_in_progress`; wait `Retry-After` seconds",
    "413": "`file_too_large`: the body is over 4 MB",
    "429": "`rate_limit_exceeded`, `quota_exceeded`; wait `Retry-After` seconds",
    "502": "`upstream_error`: the provider's reply can't be used; nothing is charged",
    "503": "`provider_error`, `model_under_maintenance`, `service_unavailable`; nothing is charged",
}
