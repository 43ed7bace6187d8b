"""The OpenAPI document of webhooks, from the routes and models that serve them."""

from typing import Any

from fastapi import FastAPI

from functions.webhooks.handlers.api import ROUTERS

_KEYLESS = "/api/v1/webhooks/event-types"
_NOT_OURS = ("HTTPValidationError", "ValidationError")


def document() -> dict[str, Any]:
    """This slice's part of the OpenAPI 3.1 document."""
    api = FastAPI(title="CallMissed")
    for router in ROUTERS:
        api.include_router(router)
    schema = api.openapi()
    for name in _NOT_OURS:
        schema["components"]["schemas"].pop(name, None)
    for path, operations in schema["paths"].items():
        for operation in operations.values():
            _describe(operation, keyless=path == _KEYLESS)
    return schema


def _describe(operation: dict[str, Any], *, keyless: bool) -> None:
    """Require a key, and remove FastAPI's 422 from routes whose only input is ids: an unknown id is a 404."""
    if _NOT_OURS[0] in str(operation["responses"].get("422")):
        del operation["responses"]["422"]
    if not keyless:
        operation["security"] = [{"key": []}]
