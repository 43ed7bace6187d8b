"""Finding an upstream that answers: retries, further routes and fallback models, all before the reply begins.

When a reply has begun its meter decides: until then every failure leads to the next try.
An upstream's 4xx that the caller must change ends the search. Rate limits, failures, credentials of ours that are
missing or wrong, and a model that the upstream does not have lead to the next route.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import suppress

from callmissed.catalog.model import SANDBOX, Catalog, Model, ProviderRoute, missing_settings, resolved
from callmissed.errors import ApiError
from callmissed.observability import get_logger
from callmissed_ai.routing.attempt import Attempt, UpstreamAnswer
from callmissed_ai.routing.availability import Availability
from callmissed_ai.routing.selection import servable
from callmissed_ai.transports.base import Transport
from callmissed_ai.transports.opening import open_transport
from callmissed_ai.work import Work

_logger = get_logger("inference")
_TRIES_PER_ROUTE = 2
_SEARCH_SECONDS = 285.0
"""API Gateway cuts a response that has been silent for five minutes, as one that is not streamed is till its end."""


class Router:
    """The providers of one process, opened at first use, `sandbox` among them. `sleep` waits between tries.

    The sandbox plays upstream failures: it is asked once, and its 4xx reach the caller as they are.
    `names_variables` as in `CoreSettings`.
    """

    def __init__(
        self,
        catalog: Catalog,
        environment: Mapping[str, str],
        sandbox: Callable[[], Transport],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        *,
        names_variables: bool = False,
    ) -> None:
        self.availability = Availability(catalog, environment, names_variables=names_variables)
        self._catalog = catalog
        self._environment = environment
        self._open_sandbox = sandbox
        self._sleep = sleep
        self._open: dict[str, Transport] = {}

    def prepared(self, work: Work) -> Work:
        """`work` with what can serve it, for `answer`. Raises ApiError 400 when nothing can have the request."""
        return servable(work, self.availability.has_settings)

    async def answer(self, work: Work, *, sandboxed: bool) -> UpstreamAnswer:
        """The first upstream that begins a reply. Raises ApiError 400, or 503 when none will in time."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_SEARCH_SECONDS):
                if answer := await self._search(work, sandboxed=sandboxed):
                    return answer
        if not sandboxed and not any(map(self.availability.is_configured, work.models)):
            raise self.availability.not_configured(work.models[0])
        raise ApiError(
            503,
            "provider_error",
            f"No provider of '{work.models[0].id}' can serve the call at the moment. Nothing was charged.",
            headers={"Retry-After": "5"},
        )

    async def _search(self, work: Work, *, sandboxed: bool) -> UpstreamAnswer | None:
        tried, refusal = 0, None
        for model, route, transport in self._candidates(work, sandboxed=sandboxed):
            try:
                attempt = Attempt(work, model, route, transport, sandboxed=sandboxed)
            except ApiError as refused:  # this route can't have the request, but the next one may
                refusal = refusal or refused
                continue
            for number in range(1 if route.provider == SANDBOX else _TRIES_PER_ROUTE):
                if tried:
                    await self._sleep(random.uniform(0.1, 0.25) * 2**number)  # noqa: S311
                tried += 1
                answer = await attempt.send()
                if answer is not None:
                    return answer
        if refusal and not tried:
            raise refusal
        return None

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
