"""Rolling figures of routes: how soon their replies begin, and how fast they write."""

from collections.abc import Sequence
from dataclasses import dataclass

from callmissed.catalog.model import ProviderRoute
from callmissed_ai.preferences.wishes import Sort
from callmissed_ai.routing.breaker import RouteKey

_WEIGHT = 0.2
"""Of the newest sample."""

MAX_MILLISECONDS = 600_000.0
MAX_TOKENS_PER_SECOND = 100_000.0


@dataclass(frozen=True, slots=True)
class Speed:
    """Milliseconds until a reply begins, and tokens per second from then on; None while nothing is known."""

    begins_ms: float | None = None
    tokens_per_second: float | None = None


class Speeds:
    """The speeds of all routes, as this process knows them: averages that newer samples weigh more in."""

    def __init__(self) -> None:
        self._speeds: dict[RouteKey, Speed] = {}

    def of(self, key: RouteKey) -> Speed:
        """The speed of a route."""
        return self._speeds.get(key) or Speed()

    def began(self, key: RouteKey, milliseconds: float) -> None:
        """Take a sample of the time until a reply began."""
        if milliseconds > 0:  # a clock may be put back meanwhile
            known = self.of(key)
            begins = _mixed(known.begins_ms, min(milliseconds, MAX_MILLISECONDS))
            self._speeds[key] = Speed(begins, known.tokens_per_second)

    def wrote(self, key: RouteKey, tokens: int, milliseconds: float) -> None:
        """Take a sample of `tokens` that were written in so long."""
        if tokens > 0 and milliseconds > 0:
            known = self.of(key)
            rate = min(tokens * 1000 / milliseconds, MAX_TOKENS_PER_SECOND)
            self._speeds[key] = Speed(known.begins_ms, _mixed(known.tokens_per_second, rate))

    def learn(self, key: RouteKey, speed: Speed) -> None:
        """Take over what another process has measured, where nothing has been measured here since; within bounds."""
        begins, rate = speed.begins_ms, speed.tokens_per_second
        self._speeds[key] = Speed(_within(begins, MAX_MILLISECONDS), _within(rate, MAX_TOKENS_PER_SECOND))

    def ordered(self, routes: Sequence[ProviderRoute], sort: Sort) -> Sequence[ProviderRoute]:
        """`routes` by speed; those of unknown speed come last, in their order."""
        return sorted(routes, key=lambda route: self._rank(route, sort))

    def _rank(self, route: ProviderRoute, sort: Sort) -> float:
        speed = self.of((route.provider, route.upstream_id))
        if sort == "latency":
            return float("inf") if speed.begins_ms is None else speed.begins_ms
        return float("inf") if speed.tokens_per_second is None else -speed.tokens_per_second


def _within(value: float | None, most: float) -> float | None:
    return min(value, most) if value and value > 0 else None


def _mixed(known: float | None, sample: float) -> float:
    return sample if known is None else known + _WEIGHT * (sample - known)
