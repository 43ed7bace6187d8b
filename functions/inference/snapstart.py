"""An application that is made after a SnapStart snapshot is restored, not before it is taken.

The application holds peppers, provider keys and randomness; none of these may be in a snapshot. So the first request,
or the adapter's call after the restore, makes it, and until then only the health check and the hooks are answered.
https://docs.aws.amazon.com/lambda/latest/dg/snapstart-uniqueness.html
"""

import random
from collections.abc import Callable

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from functions.inference.adapter import is_passed_on

HEALTH = "/healthz"
BEFORE_SNAPSHOT = "/_snapstart/before"
AFTER_RESTORE = "/_snapstart/after"


class LateApp:
    """Serves the application of `make`. `early` makes it when the server starts: for processes without snapshots."""

    def __init__(self, make: Callable[[], ASGIApp], *, early: bool) -> None:
        self._make = make
        self._early = early
        self._made: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or the server's lifespan."""
        if scope["type"] == "lifespan" and not self._early:
            await _live(receive, send)
        elif scope["type"] == "http" and is_passed_on(scope):
            await self._app()(scope, receive, send)  # a caller's path may lead to the adapter's hooks, by `..`
        elif scope.get("path") in (HEALTH, BEFORE_SNAPSHOT):
            await Response("ok")(scope, receive, send)
        elif scope.get("path") == AFTER_RESTORE:
            random.seed()  # processes of one snapshot must not draw the same random numbers
            self._app()
            await Response("ok")(scope, receive, send)
        else:
            await self._app()(scope, receive, send)

    def _app(self) -> ASGIApp:
        if self._made is None:
            self._made = self._make()
        return self._made


async def _live(receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await send({"type": "lifespan.shutdown.complete"})
