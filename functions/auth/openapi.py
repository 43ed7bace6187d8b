"""The OpenAPI document of accounts, from the routes and models that serve them."""

from typing import Any

from callmissed.web.openapi import people_document
from functions.auth.handlers.api import ROUTERS


def document() -> dict[str, Any]:
    """This slice's part of the OpenAPI 3.1 document."""
    return people_document(ROUTERS)
