"""The OpenAPI document of the whole API, merged from the documents of the slices.

`python -m local.api_gateway.openapi` writes it to docs/api/openapi.json; a test holds that it is current.
"""

import json
from typing import Any

from functions.auth import openapi as auth
from functions.billing import openapi as billing
from functions.bots import openapi as bots
from functions.inference import openapi as inference
from functions.webhooks import openapi as webhooks
from local.paths import ROOT

TARGET = ROOT / "docs" / "api" / "openapi.json"

_PARTS = (inference.document, auth.document, webhooks.document, bots.document, billing.document)
_DESCRIPTION = "One metered API for many model providers. Errors carry `error.code` and `error.request_id`."
_SESSION = {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "A person's access token."}
_OPERATOR = {
    "type": "apiKey",
    "in": "header",
    "name": "Authorization",
    "description": "An operator's AWS signature, version 4, for the service `execute-api`.",
}
_KEY = {"type": "http", "scheme": "bearer", "description": "An API key, `cm_live_…` or `cm_test_…`."}
_SCHEMES = {"key": _KEY, "operator": _OPERATOR, "session": _SESSION}


def document() -> dict[str, Any]:
    """The OpenAPI 3.1 document. Raises ValueError when two slices define one path or name differently."""
    paths: dict[str, Any] = {}
    schemas: dict[str, Any] = {}
    for part in (describe() for describe in _PARTS):
        _add(paths, part["paths"])
        _add(schemas, part["components"]["schemas"])
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "CallMissed",
            "description": _DESCRIPTION,
            "version": "0.1.0",
        },
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": _SCHEMES,
        },
    }


def _add(whole: dict[str, Any], part: dict[str, Any]) -> None:
    clashes = [name for name in part if name in whole and whole[name] != part[name]]
    if clashes:
        raise ValueError(f"two slices describe {', '.join(clashes)}")
    whole |= part


if __name__ == "__main__":
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_text(json.dumps(document(), indent=2, ensure_ascii=False) + "\n")
