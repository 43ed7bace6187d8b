"""The gateway of the desk: what API Gateway does in front of the functions, in front of the same ASGI apps.

It knows the declared routes and no others, takes a body whole and up to the platform's limit before the function
sees any of it, cuts calls off at the platform's longest time, and hands answers on chunk by chunk.
"""

import asyncio
import re
from collections.abc import Mapping, Sequence

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.routing import compile_path
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from callmissed.errors import ApiError, envelope, payload_too_large, service_unavailable
from callmissed.ids import new_id
from callmissed.platform.routes import MAX_BODY_BYTES, ROUTES, STREAM_TIMEOUT_SECONDS, Route

_DRAINED_BYTES = 16 * MAX_BODY_BYTES


class ClientGoneError(Exception):
    """The client hung up before its request was complete."""


class Gateway:
    """An ASGI app over `apps`, which are named as in the route table. `timeout_seconds` is a call's longest life."""

    def __init__(
        self,
        apps: Mapping[str, ASGIApp],
        routes: Sequence[Route] = ROUTES,
        timeout_seconds: float = STREAM_TIMEOUT_SECONDS,
    ) -> None:
        self._apps = apps
        self._routes = [(_pattern(route.path), route) for route in routes]
        self._timeout_seconds = timeout_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        answer = _Answer(send, f"req_{new_id('gw')}")
        try:
            app = self._apps[self._find(scope["method"], scope["path"]).function]
            body = await _whole_body(scope, receive)
            async with asyncio.timeout(self._timeout_seconds):
                await app(_as_behind_the_gateway(scope), _replay(body, receive), answer.send)
        except ApiError as refusal:
            await answer.refuse(scope, receive, refusal)
        except TimeoutError:
            await answer.refuse(scope, receive, service_unavailable())
        except ClientGoneError:
            return

    def _find(self, method: str, path: str) -> Route:
        for pattern, route in self._routes:
            # Preflights belong to the functions, because an origin's answer comes from the keys' domain locks.
            if method in (route.method, "OPTIONS") and pattern.match(path):
                return route
        raise ApiError(404, "not_found", "There is no such route.")


class _Answer:
    """The way back to the client, with a request id on whatever goes there."""

    def __init__(self, send: Send, request_id: str) -> None:
        self._send = send
        self._request_id = request_id
        self._begun = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._begun = True
            MutableHeaders(scope=message).setdefault("X-Request-Id", self._request_id)
        await self._send(message)

    async def refuse(self, scope: Scope, receive: Receive, error: ApiError) -> None:
        """Answer with the envelope of the path. An answer that has begun is broken off instead."""
        if self._begun:
            raise ConnectionAbortedError("the call took longer than the platform allows")
        body = envelope(scope["path"], error, self._request_id)
        await JSONResponse(body, error.status, error.headers)(scope, receive, self.send)


def _pattern(path: str) -> re.Pattern[str]:
    return compile_path(path.replace("+}", ":path}"))[0]


def _as_behind_the_gateway(scope: Scope) -> Scope:
    """The request without what only API Gateway and the adapter may say."""
    headers = [(name, value) for name, value in scope["headers"] if not name.startswith(b"x-amzn-")]
    return {**scope, "headers": headers}


async def _whole_body(scope: Scope, receive: Receive) -> bytes:
    """The body. Raises ApiError 413, ClientGoneError.

    A body that is too large is read on for a while, because a client that is still sending would miss the answer.
    """
    body, size, more = bytearray(), 0, True
    announced = Headers(scope=scope).get("content-length", "0")
    while more and size <= _DRAINED_BYTES and int(announced) <= _DRAINED_BYTES:
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
    """A `receive` that gives `body` at once, and then what the connection says: that the client has gone."""
    unread = [body]

    async def from_memory() -> Message:
        if unread:
            return {"type": "http.request", "body": unread.pop(), "more_body": False}
        return await receive()

    return from_memory
