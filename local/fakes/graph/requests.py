"""One request of the business: its body, token and fields, and the faults that hit it."""

import asyncio
import json
import socket
import struct
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

from aiohttp import web

from local.fakes.graph.accounts import GrantedToken
from local.fakes.graph.errors import INVALID_TOKEN, GraphRefusal, JsonObject, invalid_parameter
from local.fakes.graph.faults import Fault, FaultKind
from local.fakes.graph.state import GraphState

_NO_LINGER = struct.pack("ii", 1, 0)
_BEFORE = (FaultKind.ERROR, FaultKind.SERVER_ERROR, FaultKind.LOSE_REQUEST)


@dataclass(frozen=True, slots=True)
class GraphRequest:
    """A request with its JSON `body`, empty without one."""

    web: web.Request
    body: JsonObject

    @property
    def object_id(self) -> str:
        """The id in the path."""
        return self.web.match_info.get("id", "")

    @property
    def query(self) -> dict[str, str]:
        """The query's parameters."""
        return dict(self.web.query)

    def parameter(self, name: str) -> str:
        """A parameter of the body or the query; empty without it."""
        return str(self.body.get(name) or self.web.query.get(name) or "")


Handler = Callable[[GraphRequest], Awaitable[web.Response]]


def token_of(state: GraphState, request: web.Request) -> GrantedToken:
    """The request's token. Raises GraphRefusal 190."""
    scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
    secret = secret.strip() if scheme.lower() in ("bearer", "oauth") else request.query.get("access_token", "")
    if not secret:
        raise GraphRefusal(INVALID_TOKEN, message="Authentication Error: an access token is required.")
    return state.token(secret)


class FaultyServing:
    """Serves requests with the faults of `state`, and errors in Graph's shape."""

    def __init__(self, state: GraphState) -> None:
        self._state = state

    def handler(self, operation: str, handle: Handler) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        """`handle` as aiohttp's handler, for faults of `operation`."""

        async def serve(request: web.Request) -> web.StreamResponse:
            try:
                body = await _body(request)
            except GraphRefusal as refusal:
                return self._refused(refusal)
            on = "read" if operation == "messages" and body.get("status") == "read" else operation
            hits = self._state.faults.hit("request", on, *self._users(body))
            return await self._served(GraphRequest(request, body), handle, hits)

        return serve

    async def _served(self, request: GraphRequest, handle: Handler, hits: Sequence[Fault]) -> web.StreamResponse:
        for fault in hits:
            if fault.kind is FaultKind.SLOW:
                await asyncio.sleep(fault.seconds)
        for fault in hits:
            if fault.kind in _BEFORE and not fault.taken:
                return self._broken(request.web, fault)
        response = await self._answer(request, handle)
        for fault in hits:
            match fault.kind:
                case FaultKind.HALF_ANSWER:
                    return await _half(request.web, response)
                case FaultKind.GARBLED_ANSWER:
                    return web.Response(body=b'\xff<{"messages":', content_type="application/json")
                case FaultKind.SLOW:
                    continue
                case _:
                    return self._broken(request.web, fault)
        return response

    async def _answer(self, request: GraphRequest, handle: Handler) -> web.Response:
        try:
            return await handle(request)
        except GraphRefusal as refusal:
            return self._refused(refusal)

    def _broken(self, request: web.Request, fault: Fault) -> web.Response:
        """The answer of a fault; none after a reset of the connection."""
        if fault.kind is FaultKind.ERROR and fault.code is not None:
            return self._refused(GraphRefusal(fault.code, fault.details))
        if fault.kind is FaultKind.SERVER_ERROR:
            page = "<html><title>Sorry, something went wrong.</title></html>"
            return web.Response(status=fault.status, text=page, content_type="text/html")
        _reset(request)
        return web.Response()

    def _refused(self, refusal: GraphRefusal) -> web.Response:
        response = web.json_response(refusal.body(self._state.new_trace()), status=refusal.status)
        if refusal.code == INVALID_TOKEN:
            response.headers["WWW-Authenticate"] = 'OAuth "Facebook Platform" "invalid_token"'
        return response

    def _users(self, body: JsonObject) -> tuple[str, ...]:
        """The ids of the user whom a body is about."""
        name = str(body.get("to") or body.get("recipient") or "").lstrip("+")
        entry = self._state.entries.get(str(body.get("message_id")))
        user = entry.user if entry else self._state.user(name)
        return user.ids if user else (name,) if name else ()


async def _body(request: web.Request) -> JsonObject:
    """The JSON body; empty for other types. Raises GraphRefusal for one that is no object."""
    if not request.can_read_body or request.content_type != "application/json":
        return {}
    try:
        parsed: Any = json.loads(await request.read())
    except (ValueError, RecursionError):
        parsed = None
    if not isinstance(parsed, dict):
        raise invalid_parameter("The request's body is not valid JSON.")
    return cast("JsonObject", parsed)


def _reset(request: web.Request) -> None:
    """Reset the connection, so that the client sees no orderly end."""
    if request.transport is not None:
        connection = request.transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        request.transport.abort()


async def _half(request: web.Request, response: web.Response) -> web.StreamResponse:
    """Send the first half of the answer, and close the connection."""
    content = response.body if isinstance(response.body, bytes) else b""
    broken = web.StreamResponse(status=response.status, headers={"Content-Type": "application/json"})
    broken.content_length = len(content)
    await broken.prepare(request)
    await broken.write(content[: len(content) // 2])
    if request.transport is not None:
        request.transport.close()
    return broken
