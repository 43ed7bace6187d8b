"""The frame around every request: its id, its errors, its CORS headers."""

from collections.abc import Sequence
from typing import Any

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from callmissed.clock import Clock
from callmissed.observability import get_logger
from callmissed.web.refusals import error_response, internal_error
from callmissed_ai.calls.call import AdmittedPayer, new_call

_logger = get_logger("inference")
_EXPOSED = (
    "X-Request-Id, X-Generation-Id, Retry-After, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset, "
    "X-Quota-Limit, X-Quota-Remaining, X-Usage-Warning, X-CallMissed-Sandbox, Idempotent-Replayed"
)


class Frame:
    """Outermost ASGI layer: names the call, turns what is raised into an envelope, decorates what is sent."""

    def __init__(self, app: ASGIApp, clock: Clock) -> None:
        self._app = app
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        state = scope.setdefault("state", {})
        call = new_call(self._clock)
        state |= {"call": call, "request_id": f"req_{call.id}"}
        origin = Headers(scope=scope).get("origin")
        begun = ended = False

        async def decorated(message: Message) -> None:
            nonlocal begun, ended
            if message["type"] == "http.response.start":
                begun = True
                message["headers"] = [*message["headers"], *_decoration(state, origin)]
            ended = message["type"] == "http.response.body" and not message.get("more_body")
            await send(message)

        try:
            await self._app(scope, receive, decorated)
        except Exception:
            _logger.exception("unexpected failure", extra={"call": call.id, "path": scope["path"]})
            if begun and not ended:
                raise
            if not begun:
                await error_response(scope, internal_error())(scope, receive, decorated)


def _rate_headers(payer: AdmittedPayer | None) -> dict[str, str]:
    """The key's rate window, as every answer to an admitted call shows it."""
    if payer is None or payer.key is None:
        return {}
    return payer.key.rate.headers | ({"X-CallMissed-Sandbox": "true"} if payer.is_sandboxed else {})


def _decoration(state: dict[str, Any], origin: str | None) -> Sequence[tuple[bytes, bytes]]:
    headers = [(b"x-request-id", state["request_id"].encode())]
    headers += [(name.lower().encode(), value.encode()) for name, value in _rate_headers(state["call"].payer).items()]
    if origin and state.get("readable"):
        headers += [
            (b"access-control-allow-origin", origin.encode("latin-1")),
            (b"access-control-expose-headers", _EXPOSED.encode()),
            (b"vary", b"Origin"),
        ]
    return headers
