"""The search for an upstream that answers: one call's tries, all before the reply begins."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence

from callmissed.catalog.model import SANDBOX, Model, ProviderRoute
from callmissed.clock import SECOND
from callmissed.errors import ApiError
from callmissed.ledger.entries import Try
from callmissed_ai.routing.attempt import FailedTry, RouteAttempt, UpstreamAnswer
from callmissed_ai.routing.health import Candidate, RouteHealth
from callmissed_ai.transports.base import Transport
from callmissed_ai.transports.media import FetchMedia
from callmissed_ai.work import Work

_TRIES_PER_ROUTE = 2
_MAX_WAIT_SECONDS = 2.0
"""Longer than that nobody waits for one route, when its provider asks to; the next one is tried."""

_HANG_SECONDS = 200
"""A try that was silent for so long has failed, also when the call's own time limit ended it."""

_MAX_TRIES_KEPT = 16


class Search:
    """One call's search. `timed_out` says whether the last try took too long."""

    def __init__(
        self,
        work: Work,
        health: RouteHealth,
        sleep: Callable[[float], Awaitable[None]],
        fetch: FetchMedia,
        *,
        sandboxed: bool,
    ) -> None:
        self._work = work
        self._health = health
        self._sleep = sleep
        self._fetch = fetch
        self._sandboxed = sandboxed
        self._tries: list[Try] = []
        self._refusal: ApiError | None = None
        self._has_failed = False
        self.timed_out = False

    async def run(
        self, candidates: Sequence[Candidate], open_transport: Callable[[str], Transport | None]
    ) -> UpstreamAnswer | None:
        """The first upstream that begins a reply, None when none does.

        Raises ApiError 400 for what the caller must change, and when none can have the request.
        """
        for model, route in self._health.askable(candidates):
            transport = open_transport(route.provider)
            attempt = await self._attempt(model, route, transport) if transport else None
            answer = await self._tried(attempt, model, route) if attempt else None
            if answer is not None:
                return answer
        if self._refusal and not self._has_failed:
            raise self._refusal
        return None

    async def _attempt(self, model: Model, route: ProviderRoute, transport: Transport) -> RouteAttempt | None:
        """An attempt on the route, unless that can't have the request; the next one may."""
        try:
            work = await self._work.ready_for(route, self._fetch)
            return RouteAttempt(work, model, route, transport, self._health.clock, sandboxed=self._sandboxed)
        except ApiError as refused:
            self._refusal = self._refusal or refused
            return None

    async def _tried(self, attempt: RouteAttempt, model: Model, route: ProviderRoute) -> UpstreamAnswer | None:
        """Ask the route, and once more unless it asked to be left alone or was only probed."""
        tries = 1 if self._health.begin(route) or route.provider == SANDBOX else _TRIES_PER_ROUTE
        for number in range(tries):
            wait = self._health.waits(route)
            if wait > _MAX_WAIT_SECONDS:
                self._health.abandon(route)
                return None
            if self._tries:
                await self._sleep(max(wait, random.uniform(0.1, 0.25) * 2**number))  # noqa: S311
            answer = await self._asked(attempt, route)
            if isinstance(answer, UpstreamAnswer):
                answer.tries = self._tries[:_MAX_TRIES_KEPT]
                return answer
            self.timed_out = answer.timed_out
            self._tries.append(Try(route.provider, model.id, answer.outcome))
            if answer.refusal:
                self._refusal = self._refusal or answer.refusal
                return None
            self._has_failed = True
        return None

    async def _asked(self, attempt: RouteAttempt, route: ProviderRoute) -> UpstreamAnswer | FailedTry:
        """One try, and what it says of the route's health; a call that ends meanwhile says nothing of it."""
        asked = self._health.clock()
        try:
            answer = await attempt.send()
        except asyncio.CancelledError:
            hung = self._health.clock() - asked > _HANG_SECONDS * SECOND
            self._health.fail(route) if hung else self._health.abandon(route)
            raise
        except BaseException:
            self._health.abandon(route)
            raise
        if isinstance(answer, UpstreamAnswer):
            self._health.succeed(route, (self._health.clock() - answer.asked) * 1000 / SECOND)
        elif answer.is_outage:
            self._health.fail(route, answer.wait_seconds)
        else:
            self._health.abandon(route)
        return answer
