"""One route for a call, and the reply that begins there."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass

from callmissed.catalog.model import SANDBOX, Model, ProviderRoute
from callmissed.clock import Clock, Micros
from callmissed.errors import ApiError
from callmissed.ledger.entries import Try
from callmissed.observability import count, get_logger
from callmissed_ai.audio.formats import is_text_type
from callmissed_ai.preferences.request_field import FIELD
from callmissed_ai.providers.sandbox.failures import refusal_of_sandbox
from callmissed_ai.routing.preferences import nothing_left
from callmissed_ai.routing.refusals import FLAGGED, error_of, is_about_content, is_about_our_account, is_about_wishes
from callmissed_ai.routing.retry_after import wait_seconds
from callmissed_ai.transports.base import Transport, UpstreamReply, UpstreamTimedOut, UpstreamUnreachable
from callmissed_ai.work import Meter, Work

_logger = get_logger("inference")
_HEAD_SECONDS = 270.0
_SANDBOX_HEAD_SECONDS = 10.0
_BEGINNING_SECONDS = 270.0
_MAX_REFUSAL_BYTES = 65_536
_CALLERS_FAULT = frozenset({400, 413, 415, 422})
_FORBIDDEN, _NOT_FOUND = 403, 404
_OPERATORS_FAULT = frozenset({401, 402, _FORBIDDEN, _NOT_FOUND})  # 404: the path and the model's name upstream are ours


@dataclass(slots=True)
class UpstreamAnswer:
    """An upstream whose reply has begun, `asked` at that moment, after `tries` that failed.

    `first` is what `meter` passes on of the reply so far, `rest` what is unread.
    """

    model: Model
    route: ProviderRoute
    reply: UpstreamReply
    meter: Meter
    first: bytes
    rest: AsyncIterator[bytes]
    asked: Micros
    tries: Sequence[Try] = ()

    async def passed(self) -> AsyncIterator[bytes]:
        """What may be passed on, until the meter has finished or broken. Raises UpstreamUnreachable."""
        meter, passed = self.meter, self.first
        while True:
            if passed:
                yield passed
            if meter.finished or meter.broken:
                return
            passed = await _fed(meter, self.rest)


@dataclass(frozen=True, slots=True)
class FailedTry:
    """A try that failed: why, in a word or as a status; seconds that the provider wants to be left alone.

    `is_outage` says that it counts against the route, and not against the request or the operator's settings. `refusal`
    is the caller's 400 where no other route can serve the call either.
    """

    outcome: str
    wait_seconds: float = 0
    is_outage: bool = True
    timed_out: bool = False
    refusal: ApiError | None = None


class RouteAttempt:
    """One route for a call, tried once or more with the same request. Raises ApiError 400 where it can't have it."""

    def __init__(
        self, work: Work, model: Model, route: ProviderRoute, transport: Transport, clock: Clock, *, sandboxed: bool
    ) -> None:
        self._work = work
        self._model = model
        self._route = route
        self._transport = transport
        self._clock = clock
        self._sandboxed = sandboxed
        self._request = work.request_for(model, route)

    async def send(self) -> UpstreamAnswer | FailedTry:
        """One try. Raises ApiError 400 for what the caller must change."""
        asked = self._clock()
        deadline = _SANDBOX_HEAD_SECONDS if self._route.provider == SANDBOX else _HEAD_SECONDS
        try:
            reply = await self._transport.send(self._request, deadline)
            if reply.status == 200:
                return await self._begun(reply, asked)
            refusal = await _read_refusal(reply)
        except UpstreamUnreachable as error:
            _report(self._route, 0, str(error))
            return FailedTry("no_reply", timed_out=isinstance(error, UpstreamTimedOut))
        _report(self._route, reply.status, "")
        if self._route.provider == SANDBOX and reply.status < 500:
            refused = refusal_of_sandbox(reply.status, refusal, reply.headers.get("retry-after"))
            raise self._work.in_callers_terms(self._route, refused)
        if reply.status in _CALLERS_FAULT and not is_about_our_account(refusal):
            raise self._work.refusal(self._route, refusal)
        if reply.status == _FORBIDDEN and is_about_content(refusal):
            raise self._work.refusal(self._route, FLAGGED)
        if reply.status == _NOT_FOUND and self._sends_wishes() and is_about_wishes(refusal):
            return FailedTry(str(reply.status), is_outage=False, refusal=nothing_left(FIELD, self._model.id))
        wait = wait_seconds(reply.status, reply.headers, self._clock())
        return FailedTry(str(reply.status), wait, is_outage=reply.status not in _OPERATORS_FAULT | _CALLERS_FAULT)

    def _sends_wishes(self) -> bool:
        """Whether the request has wishes of the caller, beside the price that we set."""
        body = self._request.body
        wishes: Mapping[str, object] = {} if isinstance(body, bytes) else body.get(FIELD) or {}
        return any(name != "max_price" for name in wishes)

    async def _begun(self, reply: UpstreamReply, asked: Micros) -> UpstreamAnswer:
        """The answer once its reply has begun. Raises UpstreamUnreachable where it does not."""
        meter = self._work.meter(self._model, self._route, sandboxed=self._sandboxed)
        rest, first = reply.chunks(), bytearray()
        try:
            if self._request.wants_samples and is_text_type(reply.headers.get("content-type", "")):
                raise UpstreamUnreachable("a text in the place of samples")
            async with asyncio.timeout(_BEGINNING_SECONDS):
                while not meter.begun:
                    first += await _fed(meter, rest)
                    if (meter.broken or meter.finished) and not meter.begun:
                        raise UpstreamUnreachable(meter.broken or "no reply")
        except BaseException as error:
            await reply.close()
            if isinstance(error, TimeoutError):
                raise UpstreamTimedOut("no reply in time") from None
            raise
        return UpstreamAnswer(self._model, self._route, reply, meter, bytes(first), rest, asked)


async def _fed(meter: Meter, body: AsyncIterator[bytes]) -> bytes:
    """What may be passed on of the next piece of `body`, or of its end."""
    chunk = await anext(body, None)
    return meter.end() if chunk is None else meter.feed(chunk)


async def _read_refusal(reply: UpstreamReply) -> object:
    """The error of a refused request, if there is a sensible one."""
    body = bytearray()
    try:
        async for chunk in reply.chunks():
            body += chunk
            if len(body) > _MAX_REFUSAL_BYTES:
                break
        return error_of(bytes(body))
    except UpstreamUnreachable:
        return None
    finally:
        await reply.close()


def _report(route: ProviderRoute, status: int, why: str) -> None:
    level = _logger.error if status in _OPERATORS_FAULT else _logger.warning
    level("upstream did not serve", extra={"provider": route.provider, "upstream_status": status, "why": why})
    count("UpstreamFailure", provider=route.provider, status=str(status))
