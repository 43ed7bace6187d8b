"""The gateway in front of the functions.

It serves the declared routes and no others, reads a body whole and up to the platform's limit before anything else,
calls the authorizer where a route asks for it, ends calls at the platform's longest time, and passes streamed responses
on chunk by chunk.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from callmissed.errors import ApiError, envelope, payload_too_large, service_unavailable
from callmissed.ids import new_id
from callmissed.platform.routes import MAX_BODY_BYTES, REFUSAL_HEADERS, ROUTES, STREAM_TIMEOUT_SECONDS, Auth, Route
from callmissed.web.unknown_route import unknown_route
from local.api_gateway.events import HttpRequest, method_arn
from local.api_gateway.proxy_integration import http_request
from local.api_gateway.resources import find_route, resources

Authorize = Callable[[HttpRequest], Awaitable[dict[str, str]]]

VerifyOperator = Callable[[HttpRequest], str]

BUFFERED_TIMEOUT_SECONDS = 29
"""How long API Gateway waits for a function that does not stream."""

MAX_HEAD_BYTES = 10_240
"""Maximum size of the request line and the values of all headers."""
MAX_ARN_BYTES = 1_600
"""Maximum length of a method's ARN, which contains the path, on a route with an authorizer."""

_MAX_DRAINED_BYTES = 16 * MAX_BODY_BYTES


class ClientGoneError(Exception):
    """The client closed the connection before its request was complete."""


async def no_authorizer(_request: HttpRequest) -> dict[str, str]:
    """The authorizer of a gateway that has none. Raises ApiError 503."""
    raise service_unavailable()


def no_operators(request: HttpRequest) -> str:
    """What verifies operators at a gateway that knows none. Raises ApiError 404."""
    raise unknown_route(request.method, request.path, ())


class ApiGateway:
    """An ASGI app over `apps`, which are named as in the route table.

    `authorize` is called before routes that have an authorizer, `verify_operator` before those of operators; the
    latter returns the operator's ARN. `timeout_seconds` is the longest time of a streamed
    call, and `buffered_seconds` that of any other.
    """

    def __init__(
        self,
        apps: Mapping[str, ASGIApp],
        routes: Sequence[Route] = ROUTES,
        timeout_seconds: float = STREAM_TIMEOUT_SECONDS,
        *,
        authorize: Authorize = no_authorizer,
        verify_operator: VerifyOperator = no_operators,
        buffered_seconds: float = BUFFERED_TIMEOUT_SECONDS,
    ) -> None:
        self._apps = apps
        self._paths = resources(routes)
        self._authorize = authorize
        self._verify_operator = verify_operator
        self._seconds = {True: timeout_seconds, False: buffered_seconds}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        response = _ClientResponse(send, f"req_{new_id('gw')}")
        try:
            await self._serve(scope, receive, response)
        except ApiError as error:
            await response.refuse(scope, receive, error)
        except ClientGoneError:
            return

    async def _serve(self, scope: Scope, receive: Receive, response: "_ClientResponse") -> None:
        _check_head(scope)
        route, parameters = find_route(self._paths, scope["method"], scope["raw_path"].decode("latin-1"))
        body = await _whole_body(scope, receive)
        scope = _as_passed_on(scope)
        found = {"resource": route.path, "path_params": parameters, "request_id": response.request_id}
        inner = {**scope, **found}
        if route.has_authorizer:
            inner["authorizer"] = await self._authorized(http_request(inner))
        if route.auth is Auth.OPERATOR:
            inner["user_arn"] = self._verify_operator(http_request(inner, body))
        try:
            async with asyncio.timeout(self._seconds[route.streaming]):
                await self._apps[route.function](inner, _replay(body, receive), response.send)
        except TimeoutError:
            raise service_unavailable() from None

    async def _authorized(self, request: HttpRequest) -> dict[str, str]:
        """The authorizer's context. Raises ApiError, 414 for a method's ARN that is too long."""
        if len(method_arn(request)) > MAX_ARN_BYTES:
            raise _refused(414)
        return await self._authorize(request)


class _ClientResponse:
    """The response to the client, which always has a request id."""

    def __init__(self, send: Send, request_id: str) -> None:
        self.request_id = request_id
        self._send = send
        self._begun = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._begun = True
            MutableHeaders(scope=message).setdefault("X-Request-Id", self.request_id)
        await self._send(message)

    async def refuse(self, scope: Scope, receive: Receive, error: ApiError) -> None:
        """Respond with the envelope of the path. A response that has begun is broken off instead."""
        if self._begun:
            raise ConnectionAbortedError("the call took longer than the platform allows")
        body = envelope(scope["path"], error, self.request_id)
        headers = {**(error.headers or {}), **REFUSAL_HEADERS}
        await JSONResponse(body, error.status, headers)(scope, receive, self.send)


def _refused(status: int) -> ApiError:
    """API Gateway's response DEFAULT_4XX, as `infra/openapi/gateway_responses.py` words it."""
    return ApiError(status, "invalid_request_error", "The request was refused.")


def _check_head(scope: Scope) -> None:
    """Raise ApiError 431 for a request line and values of headers that are too long together."""
    line = (scope["method"].encode(), scope["raw_path"], scope["query_string"], b" ? HTTP/1.1")
    if sum(map(len, line)) + sum(len(value) for _, value in scope["headers"]) > MAX_HEAD_BYTES:
        raise _refused(431)


def _as_passed_on(scope: Scope) -> Scope:
    """The request with trimmed values, without headers that only API Gateway and the Lambda Web Adapter may set."""
    headers = [(name, value.strip(b" \t")) for name, value in scope["headers"] if not name.startswith(b"x-amzn-")]
    return {**scope, "headers": headers}


async def _whole_body(scope: Scope, receive: Receive) -> bytes:
    """The body. Raises ApiError 413, ClientGoneError.

    A body that is too large is read on for a while, because a client that is still sending would miss the response.
    """
    body, size, more = bytearray(), 0, True
    announced = Headers(scope=scope).get("content-length", "0")
    announced_size = int(announced) if announced.isascii() and announced.isdigit() else 0
    while more and max(size, announced_size) <= _MAX_DRAINED_BYTES:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        size += len(message.get("body", b""))
        if size <= MAX_BODY_BYTES:
            body += message.get("body", b"")
        more = message.get("more_body", False)
    if more or size > MAX_BODY_BYTES:
        raise payload_too_large(MAX_BODY_BYTES)
    return bytes(body)


def _replay(body: bytes, receive: Receive) -> Receive:
    """A `receive` that returns `body` at once, and then the messages of the connection, such as its end."""
    unread = [body]

    async def from_memory() -> Message:
        if unread:
            return {"type": "http.request", "body": unread.pop(), "more_body": False}
        return await receive()

    return from_memory
