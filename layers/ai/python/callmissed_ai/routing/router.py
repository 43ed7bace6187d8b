"""Finding an upstream that answers: retries, further routes and fallback models, all before the reply begins.

When a reply has begun its meter decides: until then every failure leads to the next try.
An upstream's 4xx that the caller must change ends the search. Rate limits, failures, credentials of ours that are
missing or wrong, and a model that the upstream does not have lead to the next route. Routes that are known to fail are
asked last, and those whose provider asked to be left alone are not asked.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from callmissed.catalog.model import OPENROUTER, SANDBOX, Catalog, ProviderRoute, missing_settings, resolved
from callmissed.errors import ApiError
from callmissed.observability import get_logger
from callmissed_ai.routing.attempt import UpstreamAnswer
from callmissed_ai.routing.availability import Availability
from callmissed_ai.routing.health import Candidate, RouteHealth
from callmissed_ai.routing.listed_models import ListedModels
from callmissed_ai.routing.search import Search
from callmissed_ai.routing.selection import servable
from callmissed_ai.services.models import called
from callmissed_ai.transports.base import Transport
from callmissed_ai.transports.media import FetchMedia, fetch_nothing
from callmissed_ai.transports.opening import open_transport
from callmissed_ai.work import Work

_logger = get_logger("inference")
_SEARCH_SECONDS = 285.0
"""API Gateway cuts a response that has been silent for five minutes, as one that is not streamed is till its end."""

_RETRY_SECONDS = 5


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
        health: RouteHealth | None = None,
    ) -> None:
        self.availability = Availability(catalog, environment, names_variables=names_variables)
        self.health = health or RouteHealth()
        self._catalog = catalog
        self._environment = environment
        self._open_sandbox = sandbox
        self._sleep = sleep
        self._fetch = fetch
        self._open: dict[str, Transport] = {}
        self.listed_models = ListedModels(catalog, self._openrouter, self.health.clock)

    async def catalog_for(self, body: Mapping[str, Any]) -> Catalog:
        """The catalog for the request `body`. Raises ApiError 400 for a model without a price."""
        return await self.listed_models.catalog_for(body)

    def prepared(self, work: Work) -> Work:
        """`work` with what can serve it, for `answer`. Raises ApiError 400 when nothing can have the request."""
        return servable(work, self.availability.has_settings)

    async def answer(self, work: Work, *, sandboxed: bool) -> UpstreamAnswer:
        """The first upstream that begins a reply. Raises ApiError 400, or 503 when none will in time."""
        candidates = self._candidates(work, sandboxed=sandboxed)
        if any(route.provider != SANDBOX for _, route in candidates):
            self.health.poll()
        search = Search(work, self.health, self._sleep, self._fetch, sandboxed=sandboxed)
        try:
            async with asyncio.timeout(_SEARCH_SECONDS):
                if answer := await search.run(candidates, self._provider):
                    return answer
        except TimeoutError:
            search.timed_out = True
        if not sandboxed and not any(map(self.availability.is_configured, work.models)):
            raise self.availability.not_configured(work.models)
        wait = max(_RETRY_SECONDS, math.ceil(self.health.shortest_wait(candidates)))
        raise ApiError(
            503,
            "provider_error",
            f"{called(work.models)} can't be served by any provider at the moment. Nothing was charged.",
            headers={"Retry-After": str(wait)},
            timed_out=search.timed_out,
        )

    async def close(self) -> None:
        """Drop every connection pool; the next call makes new ones."""
        await self.health.close()
        await self.listed_models.close()
        for provider in self._open.values():
            await provider.close()

    def _candidates(self, work: Work, *, sandboxed: bool) -> Sequence[Candidate]:
        """The models with their routes, in the order in which they should be asked when all are well."""
        if sandboxed:
            models = {model.billed_id: model for model in work.models}
            return [(model, ProviderRoute(SANDBOX, model_id)) for model_id, model in models.items()]
        sorted_routes = self.health.sorted_routes
        return [(model, route) for model in work.models for route in sorted_routes(model, work.preferences)]

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

    def _openrouter(self) -> Transport | None:
        known = OPENROUTER in self._catalog.providers and self.availability.has_settings(OPENROUTER)
        return self._provider(OPENROUTER) if known else None

    def _sandbox(self) -> Transport:
        if SANDBOX not in self._open:
            self._open[SANDBOX] = self._open_sandbox()
        return self._open[SANDBOX]

    def _connect(self, name: str) -> Transport:
        settings = resolved(self._catalog.providers[name], self._environment)
        return open_transport(settings, self._environment, self.health.clock)
