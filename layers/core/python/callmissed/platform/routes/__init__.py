"""The route table: every public path with the function that serves it and what a caller must show.

`infra` builds API Gateway's OpenAPI document from it, the local API Gateway dispatches by it, and the
tenant-isolation test walks it, so a route that is not here does not exist anywhere.
"""

from callmissed.platform.routes import inference, webhooks
from callmissed.platform.routes.route import MAX_BODY_BYTES, STREAM_TIMEOUT_SECONDS, Auth, Permission, Route

ROUTES = (*inference.ROUTES, *webhooks.ROUTES)

__all__ = ["MAX_BODY_BYTES", "ROUTES", "STREAM_TIMEOUT_SECONDS", "Auth", "Permission", "Route"]
