"""A slice's application below `/api/v1`: FastAPI behind Mangum, framed with request ids and envelopes."""

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from callmissed.ids import new_id
from callmissed.observability import get_logger
from callmissed.web.refusals import add_refusals, error_response, internal_error

_logger = get_logger("web")


def create_api(title: str, routers: Sequence[APIRouter], **state: Any) -> FastAPI:
    """An application with `routers`, whose `app.state` holds `state`. Wrap it in a `RequestFrame` to serve it."""
    api = FastAPI(title=title, openapi_url=None, redirect_slashes=False)
    add_refusals(api)
    for name, value in state.items():
        setattr(api.state, name, value)
    for router in routers:
        api.include_router(router)
    return api


class RequestFrame:
    """Outermost ASGI layer: gives a request its id, and turns what nobody caught into an envelope."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = f"req_{new_id('api').removeprefix('api_')}"
        scope.setdefault("state", {})["request_id"] = request_id
        begun = False

        async def named(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                message["headers"] = [*message["headers"], (b"x-request-id", request_id.encode())]
            await send(message)

        try:
            await self._app(scope, receive, named)
        except Exception:
            _logger.exception("unexpected failure", extra={"request": request_id, "path": scope["path"]})
            if not begun:
                await error_response(scope, internal_error())(scope, receive, named)
