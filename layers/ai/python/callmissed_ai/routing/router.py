"""Finding an upstream that answers: retries, further routes and fallback models, all before the reply begins.

When a reply has begun its meter decides: until then every failure leads to the next try.
An upstream's 4xx that the caller must change ends the search. Rate limits, failures, credentials of ours that are
missing or wrong, and a model that the upstream does not have lead to the next route.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass

from callmissed.catalog.model import SANDBOX, Catalog, Model, ProviderRoute, missing_settings, resolved
from callmissed.errors import ApiError
from callmissed.observability import count, get_logger
from callmissed_ai.providers.sandbox.failures import refusal_of_sandbox
from callmissed_ai.routing.availability import Availability
from callmissed_ai.routing.refusals import error_of, is_about_our_account
from callmissed_ai.transports.base import Transport, UpstreamReply, UpstreamTimedOut, UpstreamUnreachable
from callmissed_ai.transports.media import FetchMedia, fetch_nothing
from callmissed_ai.transports.opening import open_transport
from callmissed_ai.work import Meter, Work

_logger = get_logger("inference")
_TRIES_PER_ROUTE = 2
_HEAD_SECONDS = 270.0
_SANDBOX_HEAD_SECONDS = 10.0
_BEGINNING_SECONDS = 270.0
_SEARCH_SECONDS = 285.0
"""API Gateway cuts a response that has been silent for five minutes, as one that is not streamed is till its end."""

_MAX_REFUSAL_BYTES = 65_536
_CALLERS_FAULT = frozenset({400, 413, 415, 422})
_OPERATORS_FAULT = frozenset({401, 402, 403, 404})  # 404: the path and the model's name upstream are ours


@dataclass(slots=True)
class UpstreamAnswer:
    """An upstream whose reply has begun. `first` is what `meter` passes on of it so far, `rest` what is unread."""

    model: Model
    route: ProviderRoute
    reply: UpstreamReply
    meter: Meter
    first: bytes
    rest: AsyncIterator[bytes]

    async def passed(self) -> AsyncIterator[bytes]:
        """What may be passed on, until the meter has finished or broken. Raises UpstreamUnreachable."""
        meter, passed = self.meter, self.first
        while True:
            if passed:
                yield passed
            if meter.finished or meter.broken:
                return
            passed = await _fed(meter, self.rest)


class Router:
    """The providers of one process, opened at first use, `sandbox` among them. `sleep` waits between tries.

    The sandbox plays upstream failures: it is asked once, and its 4xx reach the caller as they are.
    `fetch` brings media for providers that take no URLs. `names_variables` as in `CoreSettings`.
    """

    def __init__(
        self,
        catalog: Catalog,
        environment: Mapping[str, str],
        sandbox: Callable[[], Transport],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        *,
        fetch: FetchMedia = fetch_nothing,
        names_variables: bool = False,
    ) -> None:
        self.availability = Availability(catalog, environment, names_variables=names_variables)
        self._catalog = catalog
        self._environment = environment
        self._open_sandbox = sandbox
        self._sleep = sleep
        self._fetch = fetch
        self._open: dict[str, Transport] = {}

    async def answer(self, work: Work, *, sandboxed: bool) -> UpstreamAnswer:
        """The first upstream that begins a reply. Raises ApiError 400, or 503 when none will in time."""
        timed_out = True
        with suppress(TimeoutError):
            async with asyncio.timeout(_SEARCH_SECONDS):
                answer, timed_out = await self._search(work, sandboxed=sandboxed)
                if answer:
                    return answer
        if not sandboxed and not any(map(self.availability.is_configured, work.models)):
            raise self.availability.not_configured(work.models[0])
        raise ApiError(
            503,
            "provider_error",
            f"No provider of '{work.models[0].id}' can serve the call at the moment. Nothing was charged.",
            headers={"Retry-After": "5"},
            timed_out=timed_out,
        )

    async def _search(self, work: Work, *, sandboxed: bool) -> tuple[UpstreamAnswer | None, bool]:
        """The answer of the first route that gives one, and whether the last try took too long."""
        tried, timed_out = 0, False
        for model, route, transport in self._candidates(work, sandboxed=sandboxed):
            work = await work.ready_for(route, self._fetch)
            attempt = _Attempt(work, model, route, transport, sandboxed=sandboxed)
            for number in range(1 if route.provider == SANDBOX else _TRIES_PER_ROUTE):
                if tried:
                    await self._sleep(random.uniform(0.1, 0.25) * 2**number)  # noqa: S311
                tried += 1
                answer = await attempt.send()
                if answer is not None:
                    return answer, False
                timed_out = attempt.timed_out
        return None, timed_out

    async def close(self) -> None:
        """Drop every connection pool; the next call makes new ones."""
        for provider in self._open.values():
            await provider.close()

    def _candidates(self, work: Work, *, sandboxed: bool) -> Iterator[tuple[Model, ProviderRoute, Transport]]:
        for model in work.models:
            if sandboxed:
                yield model, ProviderRoute(SANDBOX, model.id), self._sandbox()
                continue
            for route in model.routes:
                transport = self._provider(route.provider)
                if transport is not None:
                    yield model, route, transport

    def _provider(self, name: str) -> Transport | None:
        if name == SANDBOX:
            return self._sandbox()
        if name not in self._open:
            settings = self._catalog.providers[name]
            if needs := missing_settings(settings, self._environment):
                _logger.error("provider has no credentials", extra={"provider": name, "needs": needs})
                return None
            self._open[name] = self._connect(name)
        return self._open[name]

    def _sandbox(self) -> Transport:
        if SANDBOX not in self._open:
            self._open[SANDBOX] = self._open_sandbox()
        return self._open[SANDBOX]

    def _connect(self, name: str) -> Transport:
        settings = resolved(self._catalog.providers[name], self._environment)
        api_key = self._environment.get(settings.api_key_env) if settings.api_key_env else None
        return open_transport(settings, api_key)


class _Attempt:
    """One route for a call, tried once or more with the same request."""

    def __init__(
        self, work: Work, model: Model, route: ProviderRoute, transport: Transport, *, sandboxed: bool
    ) -> None:
        self._work = work
        self._model = model
        self._route = route
        self._transport = transport
        self._sandboxed = sandboxed
        self._request = work.request_for(model, route)
        self.timed_out = False

    async def send(self) -> UpstreamAnswer | None:
        """One try; None when another should be made. Raises ApiError 400 for what the caller must change."""
        deadline = _SANDBOX_HEAD_SECONDS if self._route.provider == SANDBOX else _HEAD_SECONDS
        try:
            reply = await self._transport.send(self._request, deadline)
            if reply.status == 200:
                return await self._begun(reply)
            refusal = await _read_refusal(reply)
        except UpstreamUnreachable as error:
            self.timed_out = isinstance(error, UpstreamTimedOut)
            _report(self._route, 0, str(error))
            return None
        self.timed_out = False
        _report(self._route, reply.status, "")
        if self._route.provider == SANDBOX and reply.status < 500:
            raise refusal_of_sandbox(reply.status, refusal, reply.headers.get("retry-after"))
        if reply.status in _CALLERS_FAULT and not is_about_our_account(refusal):
            raise self._work.refusal(self._route, refusal)
        return None

    async def _begun(self, reply: UpstreamReply) -> UpstreamAnswer:
        """The answer once its reply has begun. Raises UpstreamUnreachable where it does not."""
        meter = self._work.meter(self._model, self._route, sandboxed=self._sandboxed)
        rest, first = reply.chunks(), bytearray()
        try:
            async with asyncio.timeout(_BEGINNING_SECONDS):
                while not meter.begun:
                    first += await _fed(meter, rest)
                    if meter.broken and not meter.begun:
                        raise UpstreamUnreachable(meter.broken)
        except BaseException as error:
            await reply.close()
            if isinstance(error, TimeoutError):
                raise UpstreamTimedOut("no reply in time") from None
            raise
        return UpstreamAnswer(self._model, self._route, reply, meter, bytes(first), rest)


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
