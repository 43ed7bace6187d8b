"""The published OpenAPI document is the one that the code makes."""

import json

from callmissed.platform.routes import ROUTES
from functions.inference.openapi import TARGET, document


def test_document_is_current() -> None:
    """Fails when routes or models changed and docs/api was not written anew."""
    assert json.loads(TARGET.read_text()) == document(), "run: python -m functions.inference.openapi"


def test_document_has_every_route_of_the_route_table() -> None:
    """What the route table declares is documented, and nothing else is."""
    documented = {(method.upper(), path) for path, operations in document()["paths"].items() for method in operations}
    assert documented == {(route.method, route.path.replace("+}", "}")) for route in ROUTES}
