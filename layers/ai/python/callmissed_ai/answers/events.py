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
from callmissed_ai.errors import provider_broke_off, provider_broke_off_midstream, runaway_reply
from callmissed_ai.routing.attempt import UpstreamAnswer
from callmissed_ai.services.service import Closing
from callmissed_ai.streams.sse import PING
from callmissed_ai.transports.base import UpstreamUnreachable

_Message = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[_Message]]
_Send = Callable[[_Message], Awaitable[None]]

_logger = get_logger("inference")
_PING_SECONDS = 15.0
_HEAD_SECONDS = 10.0
"""So long a call waits for its reply to begin before its head leaves with status 200; then no failure has its own."""

_HEADERS = {
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-cache, no-transform",
    "x-accel-buffering": "no",
}


class EventStream:
    """An ASGI application that passes the upstream's events on, with a comment after every 15 s of silence.

    `headers` are sent in addition to those of an event stream. `beginning` may still be running: then head and comments
    leave while upstreams are searched, and a search that fails ends the stream with an error and costs nothing.
    """

    def __init__(self, served: Served, beginning: "asyncio.Future[UpstreamAnswer]", closing: Closing) -> None:
        self.headers: Mapping[str, str] = {}
        self._served = served
        self._beginning = beginning
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
        try:
            upstream = await self._beginning
            async for events in upstream.passed():
                self._silent = False
                await send(_more(events))
        except ApiError:
            return Outcome.UPSTREAM_BROKE  # it never began: `_conclude` returns the error
        except UpstreamUnreachable as error:
            return _ended(self._served, str(error))
        except OSError:
            return Outcome.CLIENT_CLOSED
        return _ended(self._served, upstream.meter.broken)

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
            await self._conclude(outcome)
            last = self._served.meter.closing(None, request_id)
        except ApiError as error:
            last = self._last_of_error(error, request_id)
        if outcome is not Outcome.CLIENT_CLOSED:
            await send({"type": "http.response.body", "body": last, "more_body": False})

    def _last_of_error(self, error: ApiError, request_id: str) -> bytes:
        closing = self._served.meter.closing if self._served.has_begun else self._closing
        return closing(error, request_id)

    async def _conclude(self, outcome: Outcome) -> None:
        """Settle a reply that has begun, or give back what was set aside. Raises ApiError for the caller to see."""
        if not self._beginning.done():
            await _stop(self._beginning)
        if self._beginning.cancelled():
            await self._served.give_up()
            raise provider_broke_off()
        if failure := self._beginning.exception():
            await self._served.give_up()
            raise failure
        await _settle(self._served, outcome)


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
        await _stop(beginning)
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
        outcome = _ended(served, served.meter.broken)
    finally:
        await asyncio.shield(asyncio.ensure_future(_settle(served, outcome)))


async def _next(passed: AsyncIterator[bytes], deadline: float) -> bytes | None:
    """The next events. None at their end, when the body breaks off, and when the call's time is over."""
    try:
        async with asyncio.timeout_at(deadline):
            return await anext(passed, None)
    except (UpstreamUnreachable, TimeoutError):
        return None


async def _stop(beginning: "asyncio.Future[UpstreamAnswer]") -> None:
    """End the search for an upstream; one that is found at the same moment is let go."""
    beginning.cancel()
    (found,) = await asyncio.gather(beginning, return_exceptions=True)
    if isinstance(found, UpstreamAnswer):
        await found.reply.close()


def _ended(served: Served, why: str) -> Outcome:
    if served.meter.finished:
        return Outcome.COMPLETED
    if served.meter.runaway:
        return Outcome.RUNAWAY
    _logger.warning("a stream broke", extra={"call": served.call.id, "why": why})
    return Outcome.UPSTREAM_BROKE


async def _settle(served: Served, outcome: Outcome) -> None:
    """Cancel what still runs upstream, and settle. Raises ApiError 503 also when the upstream broke off or ran away."""
    reply = served.upstream.reply
    if outcome is not Outcome.COMPLETED:
        await reply.close()
    try:
        await served.settle(outcome)
    finally:
        await reply.close()  # a stream that has ended keeps its connection if its last chunk has arrived
    if outcome is Outcome.UPSTREAM_BROKE:
        raise provider_broke_off_midstream()
    if outcome is Outcome.RUNAWAY:
        raise runaway_reply(served.call.id)


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
