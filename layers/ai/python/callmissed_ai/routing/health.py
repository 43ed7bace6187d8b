"""What is known of routes: whether they answer, and how fast. Nothing here waits for anything."""

from collections.abc import Sequence
from typing import Protocol

from callmissed.catalog.model import SANDBOX, Model, ProviderRoute
from callmissed.clock import Clock, system_clock
from callmissed_ai.preferences.wishes import Preferences
from callmissed_ai.routing.breaker import Breaker, RouteKey, Stance
from callmissed_ai.routing.preferences import ordered_count
from callmissed_ai.routing.speeds import Speeds

Candidate = tuple[Model, ProviderRoute]


class Sharing(Protocol):
    """Exchange with other processes, in the background."""

    def poll(self) -> None:
        """Start an exchange if one is due."""
        ...

    def report(self, key: RouteKey, *, urgent: bool) -> None:
        """Note that there is something new about a route; what is urgent is sent at once."""
        ...

    async def close(self) -> None:
        """Stop an exchange that is running."""
        ...


class RouteHealth:
    """The health of all routes, as this process knows it.

    The sandbox plays failures, so what happens there says nothing and is not kept.
    """

    def __init__(self, clock: Clock = system_clock) -> None:
        self.breaker = Breaker(clock)
        self.speeds = Speeds()
        self.clock = clock
        self.sharing: Sharing | None = None

    def poll(self) -> None:
        """Learn from other processes from now on, if it is time to."""
        if self.sharing:
            self.sharing.poll()

    def sorted_routes(self, model: Model, preferences: Preferences) -> Sequence[ProviderRoute]:
        """The routes of `model` in the order in which they should be asked when all are well."""
        sort = preferences.sort_of(model.billed_id)
        if sort in (None, "price"):  # every route has its model's price
            return model.routes
        fixed = ordered_count(model, preferences)
        return (*model.routes[:fixed], *self.speeds.ordered(model.routes[fixed:], sort))

    def askable(self, candidates: Sequence[Candidate]) -> Sequence[Candidate]:
        """Those that may be asked now, the ones whose circuit is open at the end."""
        stances = [(each, self.breaker.stance(key_of(each[1]))) for each in candidates]
        if all(stance is Stance.READY for _, stance in stances):
            return candidates
        ready = [each for each, stance in stances if stance is Stance.READY]
        return ready + [each for each, stance in stances if stance is Stance.OPEN]

    def shortest_wait(self, candidates: Sequence[Candidate]) -> float:
        """Seconds until the first of them may be asked again."""
        return min((self.breaker.waits(key_of(route)) for _, route in candidates), default=0.0)

    def waits(self, route: ProviderRoute) -> float:
        """Seconds until the route's provider may be asked again, as it wished."""
        return self.breaker.waits(key_of(route))

    def begin(self, route: ProviderRoute) -> bool:
        """Note that the route is about to be asked; returns whether that is the probe of a half-open one."""
        return self.breaker.begin(key_of(route))

    def abandon(self, route: ProviderRoute) -> None:
        """Note that the probe ended without a verdict."""
        self.breaker.abandon(key_of(route))

    def succeed(self, route: ProviderRoute, milliseconds: float) -> None:
        """Note that a reply began after so long."""
        if route.provider == SANDBOX:
            return
        key = key_of(route)
        closed = self.breaker.succeed(key)
        self.speeds.began(key, milliseconds)
        self._report(key, urgent=closed)

    def fail(self, route: ProviderRoute, wait_seconds: float = 0) -> None:
        """Note that the route failed, and for how long its provider wants to be left alone."""
        if route.provider != SANDBOX and self.breaker.fail(key_of(route), wait_seconds):
            self._report(key_of(route), urgent=True)

    def wrote(self, route: ProviderRoute, tokens: int, milliseconds: float) -> None:
        """Note that a reply of so many tokens was written in so long."""
        if route.provider != SANDBOX:
            self.speeds.wrote(key_of(route), tokens, milliseconds)

    async def close(self) -> None:
        """Stop what runs in the background."""
        if self.sharing:
            await self.sharing.close()

    def _report(self, key: RouteKey, *, urgent: bool) -> None:
        if self.sharing:
            self.sharing.report(key, urgent=urgent)


def key_of(route: ProviderRoute) -> RouteKey:
    """The key of a route's circuit."""
    return route.provider, route.upstream_id
