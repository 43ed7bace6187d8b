"""The route that API Gateway chose for a request, which is the only one that a function may serve.

API Gateway matches percent-encoded paths; functions match decoded ones, and the Lambda Web Adapter resolves `..` too.
So `/webhooks/a%2Fdeliveries` is authorised as `/webhooks/{webhook_id}`, and would be served as another route.
"""

import re
from collections.abc import Callable
from typing import Any

from fastapi.routing import APIRoute
from starlette.routing import Match
from starlette.types import Scope

RESOURCE = "resource"
"""Key of the scope: the path template of API Gateway's resource. Absent where no gateway is in front."""

_REST = re.compile(r"\{(\w+):path\}")


class GatewayRoute(APIRoute):
    """A route that matches a request only if API Gateway chose its template too. Routers take it as `route_class`."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        super().__init__(path, endpoint, **options)
        self.resource = _REST.sub(r"{\1+}", path)

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """As in Starlette, for requests of this route's template."""
        if scope.get(RESOURCE, self.resource) != self.resource:
            return Match.NONE, {}
        return super().matches(scope)
