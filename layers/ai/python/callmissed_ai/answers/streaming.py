"""What streamed replies have in common: passed on as they come, and settled before their last byte leaves.

On Lambda the environment freezes after the last byte, so all work must be done before.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from callmissed.errors import ApiError
from callmissed.ledger.entries import Outcome
from callmissed.observability import get_logger
from callmissed_ai.calls.served import Served
from callmissed_ai.errors import provider_broke_off, provider_broke_off_midstream, runaway_reply
from callmissed_ai.routing.attempt import UpstreamAnswer
from callmissed_ai.transports.base import UpstreamUnreachable

_Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[_Message]]
Send = Callable[[_Message], Awaitable[None]]

_logger = get_logger("inference")


class ReplyStream(ABC):
    """An ASGI application that passes the upstream's reply on. `headers` are sent in addition to those of its kind.

    `beginning` may still be running: a search that fails then ends the stream, and costs nothing.
    """

    def __init__(self, served: Served, beginning: "asyncio.Future[UpstreamAnswer]") -> None:
        self.headers: Mapping[str, str] = {}
        self._served = served
        self._beginning = beginning

    @property
    @abstractmethod
    def _own_headers(self) -> Mapping[str, str]:
        """The headers of its kind."""

    @abstractmethod
    async def _end(self, send: Send, error: ApiError | None, request_id: str) -> None:
        """Send the end of a stream that is settled, or for which nothing is charged, to a caller who is still there."""

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        """Send the stream; returns when it has ended or broken off, or the caller hung up, and the call is settled."""
        headers = {**self.headers, **self._own_headers}.items()
        head = [(name.lower().encode(), value.encode()) for name, value in headers]
        outcome = Outcome.CLIENT_CLOSED
        try:
            await send({"type": "http.response.start", "status": 200, "headers": head})
            outcome = await self._pass_on_until_left(receive, send)
        finally:
            await asyncio.shield(asyncio.ensure_future(self._finish(send, outcome)))

    async def _pass_on_until_left(self, receive: Receive, send: Send) -> Outcome:
        """Pass the stream on until it ends, the caller hangs up or its time is over."""
        passing = asyncio.ensure_future(self._pass_on(send))
        leaving = asyncio.ensure_future(_disconnected(receive))
        left = self._served.seconds_left
        try:
            await asyncio.wait({passing, leaving}, timeout=left, return_when=asyncio.FIRST_COMPLETED)
            return await _result(passing, Outcome.CLIENT_CLOSED if leaving.done() else Outcome.UPSTREAM_BROKE)
        finally:
            for task in (passing, leaving):
                task.cancel()

    async def _pass_on(self, send: Send) -> Outcome:
        try:
            upstream = await self._beginning
            async for piece in upstream.passed():
                await self._send_piece(send, piece)
        except ApiError:
            return Outcome.UPSTREAM_BROKE  # it never began: `_conclude` returns the error
        except UpstreamUnreachable as error:
            return ended(self._served, str(error))
        except OSError:
            return Outcome.CLIENT_CLOSED
        return ended(self._served, upstream.meter.broken)

    async def _send_piece(self, send: Send, piece: bytes) -> None:
        await send(more(piece))

    async def _finish(self, send: Send, outcome: Outcome) -> None:
        """Settle, then send the last bytes."""
        failure = None
        try:
            await self._conclude(outcome)
        except ApiError as error:
            failure = error
        if outcome is not Outcome.CLIENT_CLOSED:
            await self._end(send, failure, f"req_{self._served.call.id}")

    async def _conclude(self, outcome: Outcome) -> None:
        """Settle a reply that has begun, or give back what was set aside. Raises ApiError for the caller to see."""
        if not self._beginning.done():
            await stop(self._beginning)
        if self._beginning.cancelled():
            await self._served.give_up()
            raise provider_broke_off()
        if failure := self._beginning.exception():
            await self._served.give_up()
            raise failure
        await settle(self._served, outcome)


async def stop(beginning: "asyncio.Future[UpstreamAnswer]") -> None:
    """End the search for an upstream; one that is found at the same moment is let go."""
    beginning.cancel()
    (found,) = await asyncio.gather(beginning, return_exceptions=True)
    if isinstance(found, UpstreamAnswer):
        await found.reply.close()


def ended(served: Served, why: str) -> Outcome:
    """The outcome of a stream that has ended; `why` it broke, if it did, is logged."""
    if served.meter.finished:
        return Outcome.COMPLETED
    if served.meter.runaway:
        return Outcome.RUNAWAY
    _logger.warning("a stream broke", extra={"call": served.call.id, "why": why})
    return Outcome.UPSTREAM_BROKE


async def settle(served: Served, outcome: Outcome) -> None:
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


def more(body: bytes) -> _Message:
    """A piece of the body that is not its last."""
    return {"type": "http.response.body", "body": body, "more_body": True}


def last(body: bytes) -> _Message:
    """The last piece of the body."""
    return {"type": "http.response.body", "body": body, "more_body": False}


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _result(passing: "asyncio.Future[Outcome]", otherwise: Outcome) -> Outcome:
    """The stream's outcome. A stream that still runs is stopped, and its outcome is `otherwise`."""
    if passing.done():
        return passing.result()
    passing.cancel()
    await asyncio.gather(passing, return_exceptions=True)
    return otherwise
