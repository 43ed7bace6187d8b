"""The OpenAPI document of credits and payments, from the routes and models that serve them."""

from typing import Any

from callmissed.web.openapi import people_document
from functions.billing.handlers.api import ROUTERS


def document() -> dict[str, Any]:
    """This slice's part of the OpenAPI 3.1 document."""
    return people_document(ROUTERS)
