"""Passing an upstream's answer on to the caller, and settling the call before its last byte leaves.

Behind Lambda the environment freezes after the last byte, so nothing may be left to do then.
"""

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any, cast

from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from callmissed.clock import SECOND, Clock
from callmissed.errors import ApiError, envelope
from callmissed.ledger.entries import Outcome
from callmissed.observability import get_logger
from callmissed.platform.routes import STREAM_TIMEOUT_SECONDS
from callmissed_ai.calls.settlement import BilledCall, Cashier
from callmissed_ai.dialects.openai_chat import TokenUsage, delta_text, objects, read_usage
from callmissed_ai.routing.router import Answer
from callmissed_ai.services.chat import Plan
from callmissed_ai.streams.sse import DONE, PING, StreamMeter, error_event, is_event_stream, is_nonsense_at_once
from callmissed_ai.tokens import counting as tokens
from callmissed_ai.transports.base import UpstreamUnreachable

_logger = get_logger("inference")
_PING_SECONDS = 15.0
_LONGEST_SECONDS = STREAM_TIMEOUT_SECONDS - 30.0
"""A call ends so long after its start: what Lambda kills, or what outlives its hold, is never settled."""

_LONGEST_REPLY = 64 * 1024 * 1024


def garbage(why: str) -> ApiError:
    """502: the upstream answered, and the answer can't be used."""
    _logger.error("unusable upstream answer", extra={"why": why})
    return ApiError(502, "upstream_error", "The model's provider sent an unusable reply. Nothing was charged.")


def seconds_left(call: BilledCall, clock: Clock) -> float:
    """Seconds until the call has to end."""
    return max(0.0, _LONGEST_SECONDS - (clock() - call.started) / SECOND)


async def read_reply(answer: Answer, seconds: float) -> tuple[bytes, dict[str, Any]]:
    """A blocking reply's bytes and what they say. Raises ApiError 502, and 503 when it breaks off or takes longer."""
    try:
        async with asyncio.timeout(seconds):
            body = await _whole(answer)
        reply: Any = json.loads(body)
    except (UpstreamUnreachable, TimeoutError):
        raise ApiError(503, "provider_error", "The model's provider broke off. Nothing was charged.") from None
    except (ValueError, RecursionError):
        raise garbage("not JSON") from None
    finally:
        await answer.reply.close()
    return body, _checked(reply)


async def _whole(answer: Answer) -> bytes:
    body = bytearray()
    async for chunk in answer.chunks():
        body += chunk
        if len(body) > _LONGEST_REPLY:
            raise garbage("too long")
    return bytes(body)


def _checked(reply: object) -> dict[str, Any]:
    if not isinstance(reply, dict):
        raise garbage("no object")
    known = cast("dict[str, Any]", reply)
    choices = known.get("choices")
    if objects(choices) != choices:
        raise garbage("no choices")
    if known.get("error"):
        raise garbage("an error with status 200")
    return known


async def usage_of(plan: Plan, reply: Mapping[str, Any]) -> TokenUsage:
    """What a blocking reply reports, else what our tokenizer counts."""
    return read_usage(reply.get("usage")) or await _counted(plan, lambda: delta_text(reply))


async def _counted(plan: Plan, written: Callable[[], str]) -> TokenUsage:
    """Our own count, in a thread: loading the tokenizer and long texts take seconds that other calls need."""

    def count() -> TokenUsage:
        return TokenUsage(tokens.count_request(plan.body), tokens.count_text(written()), estimated=True)

    return await asyncio.to_thread(count)


class MeteredStream(Response):
    """A stream of the upstream's events to the caller, with a comment every 15 s of silence."""

    def __init__(
        self, plan: Plan, call: BilledCall, answer: Answer, cashier: Cashier, clock: Clock, headers: Mapping[str, str]
    ) -> None:
        streaming = {"Cache-Control": "no-cache, no-transform", "X-Accel-Buffering": "no"}
        super().__init__(headers={**headers, **streaming}, media_type="text/event-stream")
        del self.headers["content-length"]
        self._plan = plan
        self._call = call
        self._answer = answer
        self._cashier = cashier
        self._clock = clock
        self._meter = StreamMeter(wants_usage=plan.wants_usage)
        self._silent = True

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the stream; returns when it has ended, broken off or lost its reader, and the call is settled."""
        outcome = Outcome.CLIENT_CLOSED
        try:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            outcome = await self._relay_until_left(receive, send)
        finally:
            await asyncio.shield(asyncio.ensure_future(self._finish(scope["path"], send, outcome)))

    async def _relay_until_left(self, receive: Receive, send: Send) -> Outcome:
        """Relay the stream until it ends, its reader leaves or its time is over."""
        relay = asyncio.ensure_future(self._relay(send))
        leaving = asyncio.ensure_future(_disconnected(receive))
        pinging = asyncio.ensure_future(self._ping(send))
        left = seconds_left(self._call, self._clock)
        try:
            await asyncio.wait({relay, leaving}, timeout=left, return_when=asyncio.FIRST_COMPLETED)
            return await _result(relay, Outcome.CLIENT_CLOSED if leaving.done() else Outcome.UPSTREAM_BROKE)
        finally:
            for task in (relay, leaving, pinging):
                task.cancel()

    async def _relay(self, send: Send) -> Outcome:
        try:
            why = await self._pass_on(send)
        except UpstreamUnreachable as error:
            why = str(error)
        except OSError:
            return Outcome.CLIENT_CLOSED
        if self._meter.finished:
            return Outcome.COMPLETED
        _logger.warning("a stream broke", extra={"call": self._call.id, "why": why})
        return Outcome.UPSTREAM_BROKE

    async def _pass_on(self, send: Send) -> str:
        """Pass events on until the stream says that it has ended; returns why it ended without saying so."""
        async for chunk in self._answer.chunks():
            events = self._meter.feed(chunk)
            if events:
                self._silent = False
                await send(_more(events))
            if self._meter.finished or self._meter.broken:
                return self._meter.broken
        self._meter.end()
        return "no [DONE]"

    async def _ping(self, send: Send) -> None:
        while True:
            self._silent = True
            await asyncio.sleep(_PING_SECONDS)
            if self._silent:
                await send(_more(PING))

    async def _finish(self, path: str, send: Send, outcome: Outcome) -> None:
        """Cancel what still runs upstream, settle, and only then let the last bytes go."""
        if outcome is not Outcome.COMPLETED:
            await self._answer.reply.close()
        last = DONE
        try:
            used = self._meter.usage or await _counted(self._plan, self._meter.written)
            await self._cashier.settle(self._call, self._answer.model, self._answer.route, used, outcome, streamed=True)
            if outcome is Outcome.UPSTREAM_BROKE:
                raise ApiError(503, "provider_error", "The model's provider broke off in the midst of its reply.")
        except ApiError as error:
            last = error_event(envelope(path, error, f"req_{self._call.id}"))
        await self._answer.reply.close()  # a stream that has ended keeps its connection if its last chunk came by now
        if outcome is not Outcome.CLIENT_CLOSED:
            await send({"type": "http.response.body", "body": last, "more_body": False})


async def check_stream(answer: Answer) -> None:
    """Refuse a body that is no event stream before anything of it is sent. Raises ApiError 502."""
    if not is_event_stream(answer.first) or is_nonsense_at_once(answer.first):
        await answer.reply.close()
        raise garbage("no event stream")


def _more(body: bytes) -> Message:
    return {"type": "http.response.body", "body": body, "more_body": True}


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _result(relay: "asyncio.Future[Outcome]", otherwise: Outcome) -> Outcome:
    """The relay's outcome; one that still runs, for nobody or for too long, is stopped and has ended `otherwise`."""
    if relay.done():
        return relay.result()
    relay.cancel()
    await asyncio.gather(relay, return_exceptions=True)
    return otherwise
