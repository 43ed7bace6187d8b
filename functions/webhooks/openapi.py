"""The OpenAPI document of webhooks, from the routes and models that serve them."""

from typing import Any

from callmissed.web.openapi import IDEMPOTENCY_KEY, OPERATOR_SECURITY, OPERATORS_PATH, document_of, schemas_of
from callmissed.web.schemas import ErrorEnvelope
from functions.webhooks.handlers.api import ROUTERS

_KEYLESS = "/api/v1/webhooks/event-types"
_KEY = IDEMPOTENCY_KEY | {
    "description": "Runs the request once in 24 hours. A replay carries `Idempotent-Replayed: true`."
}


def document() -> dict[str, Any]:
    """This slice's part of the OpenAPI 3.1 document."""
    document = document_of(ROUTERS, schemas_of(ErrorEnvelope))
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if path.startswith(OPERATORS_PATH):
                operation["security"] = OPERATOR_SECURITY
                continue
            if path != _KEYLESS:
                operation["security"] = [{"key": []}, {"session": []}]
            if method in ("post", "put"):
                operation.setdefault("parameters", []).append(_KEY)
    return document
