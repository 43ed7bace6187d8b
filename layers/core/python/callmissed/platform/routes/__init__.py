"""The route table: every public path with its function and the credentials that it requires.

`infra` builds API Gateway's OpenAPI document from it, the local API Gateway dispatches by it, and the
tenant-isolation test walks it, so a route exists only if it is in the table.
"""

from callmissed.platform.routes import auth, billing, bots, inference, webhooks
from callmissed.platform.routes.route import (
    MAX_BODY_BYTES,
    REFUSAL_HEADERS,
    STREAM_TIMEOUT_SECONDS,
    Auth,
    Permission,
    Role,
    Route,
)

ROUTES = (*inference.ROUTES, *auth.ROUTES, *webhooks.ROUTES, *bots.ROUTES, *billing.ROUTES)

__all__ = [
    "MAX_BODY_BYTES",
    "REFUSAL_HEADERS",
    "ROUTES",
    "STREAM_TIMEOUT_SECONDS",
    "Auth",
    "Permission",
    "Role",
    "Route",
]
