"""The OpenAPI document of credits and payments, from the routes and models that serve them."""

from typing import Any

from callmissed.platform.routes import ROUTES, Auth
from callmissed.web.openapi import IDEMPOTENCY_KEY, OPERATOR_SECURITY, OPERATORS_PATH, document_of, schemas_of
from callmissed.web.schemas import ErrorEnvelope
from functions.billing.handlers.api import ROUTERS

_KEY = IDEMPOTENCY_KEY | {
    "description": "Runs the request once in 24 hours. A replay carries `Idempotent-Replayed: true`."
}
_OF_PEOPLE = {(route.method, route.path) for route in ROUTES if route.auth is Auth.SESSION}


def document() -> dict[str, Any]:
    """This slice's part of the OpenAPI 3.1 document."""
    document = document_of(ROUTERS, schemas_of(ErrorEnvelope))
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if path.startswith(OPERATORS_PATH):
                operation["security"] = OPERATOR_SECURITY
            if (method.upper(), path) not in _OF_PEOPLE:
                continue
            operation["security"] = [{"session": []}]
            if method in ("post", "put", "patch"):
                operation.setdefault("parameters", []).append(_KEY)
    return document
