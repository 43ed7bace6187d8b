"""The Idempotency-Key below `/api/v1`: an ASGI layer between a slice's application and its request context.

    app = RequestContextMiddleware(IdempotencyMiddleware(create_api(…), store))

POST, PUT and PATCH with the header run once in 24 hours. The answer is stored before its first byte is sent, so that a
repeated request gets the same bytes; after any status but 2xx, and after an exception, the key may run again.

Not guaranteed: when a process dies between the work and the stored answer, the request runs again after the lock's end,
as the same operation. A route makes that safe with the operation's id (`OperationOf`): a new item gets its id from
`operation.new_id` and is put IF NOT EXISTS; an update that is not idempotent (a counter, a toggle) must have the
operation's id in its condition. Sets to a value, and deletes, are safe without it.
"""

import asyncio
from typing import Annotated

from fastapi import Depends, Request
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from callmissed.aws.buckets import Bucket
from callmissed.aws.database import Database
from callmissed.clock import Clock, system_clock
from callmissed.errors import ApiError, payload_too_large
from callmissed.idempotency.operation import Operation
from callmissed.idempotency.requests import HEADER, REPLAYED, checked_key, fingerprint, keyed_request
from callmissed.idempotency.store import SKEW_SECONDS, IdempotencyStore, Replay, Run, Sealing
from callmissed.platform.resources import RESPONSES_BUCKET
from callmissed.platform.routes import MAX_BODY_BYTES
from callmissed.settings import CoreSettings
from callmissed.web.caller import authorizer_context
from callmissed.web.exception_handlers import error_response
from callmissed.web.request_context import RequestContextMiddleware

LOCK_SECONDS = 30 + SKEW_SECONDS + 5
"""Lambda ends these functions after 30 seconds, counted from before the lock. The 5 seconds are a safety margin."""

_METHODS = frozenset({"POST", "PUT", "PATCH"})


class IdempotencyMiddleware:
    """Runs each keyed request of a tenant once. Every request gets an `Operation`, with or without a key."""

    def __init__(self, app: ASGIApp, store: IdempotencyStore, clock: Clock = system_clock) -> None:
        self._app = app
        self._store = store
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope["state"]["operation"] = Operation.new()
        try:
            key = _key(scope)
            if key is None:
                await self._app(scope, receive, send)
            elif (body := await _whole_body(receive)) is not None:
                await (await self._answer(scope, key, body))(scope, receive, send)
        except ApiError as refusal:
            await error_response(scope, refusal)(scope, receive, send)

    async def _answer(self, scope: Scope, key: str, body: bytes) -> ASGIApp:
        """The answer to a keyed request: a replay, or the application's answer. Raises ApiError 409, 503."""
        caller = authorizer_context(scope)
        asked = fingerprint(scope["method"], scope["path"], scope["query_string"], body)
        request = keyed_request(caller["tenant"], caller.get("mode", ""), key, asked, person=caller.get("user_id", ""))
        begun = await self._store.begin(request, self._clock(), LOCK_SECONDS)
        if isinstance(begun, Replay):
            return replayed(begun)
        scope["state"]["operation"] = begun.operation
        answer = _Answer()
        try:
            await self._app(scope, _from_memory(body), answer.take)
        except BaseException:
            await self._release(begun)
            raise
        if answer.is_success:
            await asyncio.shield(asyncio.ensure_future(self._complete(begun, answer)))
        else:
            await self._release(begun)
        return answer

    async def _complete(self, run: Run, answer: "_Answer") -> None:
        """Store the answer, or let the key run again."""
        try:
            await self._store.complete(run, answer.status, answer.content_type, bytes(answer.body))
        except BaseException:
            await self._store.release(run)
            raise

    async def _release(self, run: Run) -> None:
        await asyncio.shield(asyncio.ensure_future(self._store.release(run)))


def keyed_server(
    app: ASGIApp, settings: CoreSettings, database: Database, sealing: Sealing, clock: Clock
) -> RequestContextMiddleware:
    """The served application: each keyed request runs once. Answers contain secrets, so stored answers are sealed."""
    store = IdempotencyStore(database, Bucket(settings, RESPONSES_BUCKET), sealing)
    return RequestContextMiddleware(IdempotencyMiddleware(app, store, clock))


class _Answer:
    """The application's answer, held back until it is stored."""

    def __init__(self) -> None:
        self.body = bytearray()
        self._start: Message = {"type": "http.response.start", "status": 500, "headers": []}

    @property
    def status(self) -> int:
        return self._start["status"]

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300

    @property
    def content_type(self) -> str:
        return Headers(scope=self._start).get("content-type", "")

    async def take(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._start = message
        elif message["type"] == "http.response.body":
            self.body += message.get("body", b"")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send(self._start)
        await send({"type": "http.response.body", "body": bytes(self.body)})


def replayed(replay: Replay) -> Response:
    """The stored answer: its status, bytes and content type as they were."""
    content_type = {"Content-Type": replay.content_type} if replay.content_type else {}
    return Response(replay.body, replay.status, {REPLAYED: "true", **content_type})


def operation(request: Request) -> Operation:
    """The operation that the request asks for, whose id is the same when the request is run again."""
    return request.scope["state"]["operation"]


OperationOf = Annotated[Operation, Depends(operation)]


def _key(scope: Scope) -> str | None:
    """The key of a request that must run once. Raises ApiError 400."""
    caller = authorizer_context(scope)
    if scope["method"] not in _METHODS or not caller.get("tenant"):
        return None
    return checked_key(Headers(scope=scope).getlist(HEADER))


async def _whole_body(receive: Receive) -> bytes | None:
    """The body, or None when the caller hung up. Raises ApiError 413."""
    body, more = bytearray(), True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        if len(body) > MAX_BODY_BYTES:
            raise payload_too_large(MAX_BODY_BYTES)
        more = message.get("more_body", False)
    return bytes(body)


def _from_memory(body: bytes) -> Receive:
    """A `receive` that returns `body` and never reports that the caller hung up: the work goes on."""
    unread = [body]

    async def receive() -> Message:
        if unread:
            return {"type": "http.request", "body": unread.pop(), "more_body": False}
        await asyncio.Event().wait()
        raise AssertionError("unreachable")

    return receive
