"""The OpenAPI document of bots, WhatsApp and conversations, from the routes and models that serve them."""

from typing import Any

from callmissed.web.openapi import IDEMPOTENCY_KEY, document_of, schemas_of
from callmissed.web.schemas import ErrorEnvelope
from functions.bots.handlers.api import ROUTERS
from functions.bots.inbox import draft_routes

_KEY = IDEMPOTENCY_KEY | {
    "description": "Runs the request once in 24 hours. A replay carries `Idempotent-Replayed: true`."
}


def document() -> dict[str, Any]:
    """This slice's part of the OpenAPI 3.1 document."""
    document = document_of((*ROUTERS, draft_routes.router), schemas_of(ErrorEnvelope))
    for operations in document["paths"].values():
        for method, operation in operations.items():
            operation["security"] = [{"key": []}, {"session": []}]
            if method in ("post", "put", "patch"):
                operation.setdefault("parameters", []).append(_KEY)
    return document
