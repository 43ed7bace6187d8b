"""Requests of the Lambda Web Adapter, which says in a header what API Gateway knows of them.

The adapter sets the header on every request that it passes on and replaces the caller's, so the header is read only
where the adapter is in front. https://awslabs.github.io/aws-lambda-web-adapter/features/request-context.html
"""

import json
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from callmissed.web.gateway_route import RESOURCE

CONTEXT_HEADER = b"x-amzn-request-context"
_ADAPTERS = b"x-amzn-"
_NO_RESOURCE = ""


def is_passed_on(scope: Scope) -> bool:
    """Whether the adapter passes on a request of a caller: its own calls have no context."""
    return any(name == CONTEXT_HEADER for name, _ in scope["headers"])


class AdapterRequests:
    """Gives `app` the scopes of the adapter's requests, with the resource that API Gateway chose.

    A request without a readable context has no resource, and so no route.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or the server's lifespan."""
        if scope["type"] == "http":
            headers = [header for header in scope["headers"] if not header[0].startswith(_ADAPTERS)]
            scope = {**scope, "headers": headers, RESOURCE: _resource(scope)}
        await self._app(scope, receive, send)


def _resource(scope: Scope) -> str:
    """`resourcePath` of the only context."""
    contexts = [value for name, value in scope["headers"] if name == CONTEXT_HEADER]
    try:
        context: Any = json.loads(contexts[0]) if len(contexts) == 1 else {}
        resource = context.get("resourcePath")
    except (ValueError, RecursionError, AttributeError):
        return _NO_RESOURCE
    return resource if isinstance(resource, str) else _NO_RESOURCE
