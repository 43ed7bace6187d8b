"""A streamed reply, settled before its last byte leaves: as an ASGI response, or as an iterator.

On Lambda the environment freezes after the last byte, so all work must be done before.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from callmissed.errors import ApiError
from callmissed.ledger.entries import Outcome
from callmissed.observability import get_logger
from callmissed_ai.calls.served import Served
from callmissed_ai.errors import provider_broke_off_midstream
from callmissed_ai.streams.sse import PING
from callmissed_ai.transports.base import UpstreamUnreachable

Closing = Callable[[ApiError | None, str], bytes]
"""The last bytes of a dialect's stream: its end, or its event for the error of the request id."""

_Message = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[_Message]]
_Send = Callable[[_Message], Awaitable[None]]

_logger = get_logger("inference")
_PING_SECONDS = 15.0
_HEADERS = {
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-cache, no-transform",
    "x-accel-buffering": "no",
}


class EventStream:
    """An ASGI application that passes the upstream's events on, with a comment after every 15 s of silence.

    `headers` are sent in addition to those of an event stream.
    """

    def __init__(self, served: Served, closing: Closing) -> None:
        self.headers: Mapping[str, str] = {}
        self._served = served
        self._closing = closing
        self._silent = True

    async def __call__(self, scope: Mapping[str, Any], receive: _Receive, send: _Send) -> None:
        """Send the stream; returns when it has ended or broken off, or the caller hung up, and the call is settled."""
        headers = [(name.lower().encode(), value.encode()) for name, value in {**self.headers, **_HEADERS}.items()]
        outcome = Outcome.CLIENT_CLOSED
        try:
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            outcome = await self._pass_on_until_left(receive, send)
        finally:
            await asyncio.shield(asyncio.ensure_future(self._finish(send, outcome)))

    async def _pass_on_until_left(self, receive: _Receive, send: _Send) -> Outcome:
        """Pass the stream on until it ends, the caller hangs up or its time is over."""
        passing = asyncio.ensure_future(self._pass_on(send))
        leaving = asyncio.ensure_future(_disconnected(receive))
        pinging = asyncio.ensure_future(self._ping(send))
        left = self._served.seconds_left
        try:
            await asyncio.wait({passing, leaving}, timeout=left, return_when=asyncio.FIRST_COMPLETED)
            return await _result(passing, Outcome.CLIENT_CLOSED if leaving.done() else Outcome.UPSTREAM_BROKE)
        finally:
            for task in (passing, leaving, pinging):
                task.cancel()

    async def _pass_on(self, send: _Send) -> Outcome:
        meter = self._served.meter
        try:
            async for chunk in self._served.upstream.chunks():
                events = meter.feed(chunk)
                if events:
                    self._silent = False
                    await send(_more(events))
                if meter.finished or meter.broken:
                    break
            else:
                meter.end()
        except UpstreamUnreachable as error:
            return _ended(self._served, str(error))
        except OSError:
            return Outcome.CLIENT_CLOSED
        return _ended(self._served, meter.broken)

    async def _ping(self, send: _Send) -> None:
        while True:
            self._silent = True
            await asyncio.sleep(_PING_SECONDS)
            if self._silent:
                await send(_more(PING))

    async def _finish(self, send: _Send, outcome: Outcome) -> None:
        """Settle, then send the last bytes."""
        request_id = f"req_{self._served.call.id}"
        try:
            await _settle(self._served, outcome)
            last = self._closing(None, request_id)
        except ApiError as error:
            last = self._closing(error, request_id)
        if outcome is not Outcome.CLIENT_CLOSED:
            await send({"type": "http.response.body", "body": last, "more_body": False})


async def event_stream(served: Served, closing: Closing) -> EventStream:
    """The reply as an ASGI application, which settles the call when it is served."""
    return EventStream(served, closing)


async def event_iterator(served: Served) -> AsyncGenerator[bytes]:
    """The reply as an iterator, which settles the call at its end or when it is closed.

    If it is not iterated, the sweep resolves the call.

    Raises ApiError 503 at its end when the upstream broke off or the call can't be settled.
    """
    return _events(served)


async def _events(served: Served) -> AsyncGenerator[bytes]:
    meter, chunks = served.meter, served.upstream.chunks()
    deadline = asyncio.get_running_loop().time() + served.seconds_left
    outcome = Outcome.CLIENT_CLOSED
    try:
        while not (meter.finished or meter.broken):
            chunk = await _next(served, chunks, deadline)
            if chunk is None:
                break
            if events := meter.feed(chunk):
                yield events
        outcome = _ended(served, meter.broken)
    finally:
        await asyncio.shield(asyncio.ensure_future(_settle(served, outcome)))


async def _next(served: Served, chunks: AsyncIterator[bytes], deadline: float) -> bytes | None:
    """The next piece of the body. None at its end, when it breaks off, and when the call's time is over."""
    try:
        async with asyncio.timeout_at(deadline):
            chunk = await anext(chunks, None)
    except (UpstreamUnreachable, TimeoutError):
        return None
    if chunk is None:
        served.meter.end()
    return chunk


def _ended(served: Served, why: str) -> Outcome:
    if served.meter.finished:
        return Outcome.COMPLETED
    _logger.warning("a stream broke", extra={"call": served.call.id, "why": why})
    return Outcome.UPSTREAM_BROKE


async def _settle(served: Served, outcome: Outcome) -> None:
    """Cancel what still runs upstream, and settle. Raises ApiError 503 also when the upstream broke off."""
    reply = served.upstream.reply
    if outcome is not Outcome.COMPLETED:
        await reply.close()
    try:
        await served.settle(outcome)
    finally:
        await reply.close()  # a stream that has ended keeps its connection if its last chunk has arrived
    if outcome is Outcome.UPSTREAM_BROKE:
        raise provider_broke_off_midstream()


def _more(body: bytes) -> _Message:
    return {"type": "http.response.body", "body": body, "more_body": True}


async def _disconnected(receive: _Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _result(passing: "asyncio.Future[Outcome]", otherwise: Outcome) -> Outcome:
    """The stream's outcome. A stream that still runs is stopped, and its outcome is `otherwise`."""
    if passing.done():
        return passing.result()
    passing.cancel()
    await asyncio.gather(passing, return_exceptions=True)
    return otherwise
