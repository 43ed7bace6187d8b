"""A streamed reply of server-sent events: as an ASGI response, or as an iterator."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping

from callmissed.errors import ApiError
from callmissed.ledger.entries import Outcome
from callmissed_ai.answers.streaming import Receive, ReplyStream, Send, ended, last, more, settle, stop
from callmissed_ai.calls.served import Served
from callmissed_ai.routing.attempt import UpstreamAnswer
from callmissed_ai.services.service import Closing
from callmissed_ai.streams.sse import MEDIA_TYPE, PING
from callmissed_ai.transports.base import UpstreamUnreachable

_PING_SECONDS = 15.0
_HEAD_SECONDS = 10.0
"""So long a call waits for its reply to begin before its head leaves with status 200; then no failure has its own."""

_HEADERS = {
    "content-type": f"{MEDIA_TYPE}; charset=utf-8",
    "cache-control": "no-cache, no-transform",
    "x-accel-buffering": "no",
}


class EventStream(ReplyStream):
    """An ASGI application that passes the upstream's events on, with a comment after every 15 s of silence.

    While upstreams are still searched, head and comments leave; a search that fails ends the stream with an error.
    """

    def __init__(self, served: Served, beginning: "asyncio.Future[UpstreamAnswer]", closing: Closing) -> None:
        super().__init__(served, beginning)
        self._closing = closing
        self._silent = True

    @property
    def _own_headers(self) -> Mapping[str, str]:
        return _HEADERS

    async def _pass_on_until_left(self, receive: Receive, send: Send) -> Outcome:
        pinging = asyncio.ensure_future(self._ping(send))
        try:
            return await super()._pass_on_until_left(receive, send)
        finally:
            pinging.cancel()

    async def _send_piece(self, send: Send, piece: bytes) -> None:
        self._silent = False
        await super()._send_piece(send, piece)

    async def _ping(self, send: Send) -> None:
        while True:
            self._silent = True
            await asyncio.sleep(_PING_SECONDS)
            if self._silent:
                await send(more(PING))

    async def _end(self, send: Send, error: ApiError | None, request_id: str) -> None:
        if error is not None and not self._served.has_begun:
            await send(last(self._closing(error, request_id)))
        else:
            await send(last(self._served.meter.closing(error, request_id)))


async def event_stream(served: Served, closing: Closing) -> EventStream:
    """The reply as an ASGI application, which settles the call when it is served.

    Raises ApiError 400 or 503 when no reply begins within the first seconds; later the application sends the error.
    """
    beginning = asyncio.ensure_future(served.begin())
    try:
        await asyncio.wait({beginning}, timeout=_HEAD_SECONDS)
        if beginning.done():
            beginning.result()
    except BaseException:
        await stop(beginning)
        raise
    return EventStream(served, beginning, closing)


async def event_iterator(served: Served) -> AsyncGenerator[bytes]:
    """The reply, which has begun, as an iterator that settles the call at its end or when it is closed.

    If it is not iterated, the sweep resolves the call.

    Raises ApiError 400 or 503 when no reply begins, and 503 at the iterator's end when the upstream broke off or the
    call can't be settled.
    """
    await served.begin()
    return _events(served)


async def _events(served: Served) -> AsyncGenerator[bytes]:
    passed = served.upstream.passed()
    deadline = asyncio.get_running_loop().time() + served.seconds_left
    outcome = Outcome.CLIENT_CLOSED
    try:
        while events := await _next(passed, deadline):
            yield events
        outcome = ended(served, served.meter.broken)
    finally:
        await asyncio.shield(asyncio.ensure_future(settle(served, outcome)))


async def _next(passed: AsyncIterator[bytes], deadline: float) -> bytes | None:
    """The next events. None at their end, when the body breaks off, and when the call's time is over."""
    try:
        async with asyncio.timeout_at(deadline):
            return await anext(passed, None)
    except (UpstreamUnreachable, TimeoutError):
        return None
