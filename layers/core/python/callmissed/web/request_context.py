"""The outermost layer of every web application: a request's id, the authorizer's refusals, and the envelope of
uncaught exceptions.

RequestContextMiddleware(app)                                       below /api/v1
RequestContextMiddleware(app, new_context=…, headers=…, log_as=…)   where a request has more than an id
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from callmissed.ids import new_id
from callmissed.observability import LoggableError, get_logger
from callmissed.web.caller import refusal_of
from callmissed.web.exception_handlers import error_response, internal_error
from callmissed.web.gateway_route import RESOURCE

Headers = Sequence[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class RequestContext:
    """Context of a request before it is served.

    `request_id` and `state` are put into `scope["state"]`; `logged` names the request in logs.
    """

    request_id: str
    logged: Mapping[str, str]
    state: Mapping[str, Any] = field(default_factory=dict[str, Any])


def new_request() -> RequestContext:
    """The context of a request that has an id and nothing else."""
    request_id = f"req_{new_id('api').removeprefix('api_')}"
    return RequestContext(request_id, {"request": request_id})


class BrokenOffError(LoggableError):
    """An exception in the midst of an answer. It has no cause: the server's log would have the cause's text."""


def _logged_path(scope: Scope) -> str:
    """The route's template, or the beginning of a path without one, as only callers without a gateway write it."""
    resource: str = scope.get(RESOURCE) or scope["path"][:200]
    return resource


def _uncached(headers: Headers) -> Headers:
    """What keeps an answer out of every cache, unless it says itself how long it may be kept.

    Answers hold tokens, keys and people's data: https://www.rfc-editor.org/rfc/rfc6749#section-5.1
    """
    return () if any(name == b"cache-control" for name, _ in headers) else ((b"cache-control", b"no-store"),)


def _no_headers(_scope: Scope) -> Headers:
    return ()


class RequestContextMiddleware:
    """Gives each request its context and each answer `X-Request-Id`, and keeps answers out of caches; turns exceptions
    into envelopes.

    A caller whom the authorizer refuses is answered here (`caller.refusal_of`), whatever the application has below.

    `headers` returns further headers when an answer starts. `log_as` is the logger's name. After an exception in the
    midst of an answer, BrokenOffError is raised to the server, which cuts the answer off and logs what is raised; an
    exception after an answer's end is only logged.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        new_context: Callable[[], RequestContext] = new_request,
        headers: Callable[[Scope], Headers] = _no_headers,
        log_as: str = "web",
    ) -> None:
        self._app = app
        self._new_context = new_context
        self._headers = headers
        self._logger = get_logger(log_as)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        context = self._new_context()
        scope.setdefault("state", {}).update(context.state, request_id=context.request_id)
        begun = ended = False

        async def decorated(message: Message) -> None:
            nonlocal begun, ended
            if message["type"] == "http.response.start":
                begun = True
                own = [(b"x-request-id", context.request_id.encode()), *self._headers(scope)]
                message["headers"] = [*message["headers"], *own, *_uncached(message["headers"])]
            ended = message["type"] == "http.response.body" and not message.get("more_body")
            await send(message)

        try:
            await self._answering(scope)(scope, receive, decorated)
        except Exception:
            self._logger.exception("unexpected failure", extra={**context.logged, "path": _logged_path(scope)})
            if begun and not ended:
                raise BrokenOffError("the answer broke off; see the failure before") from None
            if not begun:
                await error_response(scope, internal_error())(scope, receive, decorated)

    def _answering(self, scope: Scope) -> ASGIApp:
        """The application, or the refusal of a caller whom it must not see."""
        refusal = refusal_of(scope)
        return error_response(scope, refusal) if refusal else self._app
