"""Circuit breakers of routes: which of them should be asked now.

    closed ──failures in a row──► open ──pause──► half-open ──probe succeeds──► closed
                                    ▲                 └─────probe fails, longer pause──► open

Beside it, a provider may ask to be left alone for a time (Retry-After), which is kept whatever the circuit says.
All of it is local and synchronous; `sharing` brings in what other processes know.
"""

from dataclasses import dataclass
from enum import Enum

from callmissed.clock import SECOND, Clock, Micros

FAILURES_TO_OPEN = 5
PAUSE_SECONDS = 10
MAX_PAUSE_SECONDS = 300
PROBE_SECONDS = 60
"""So long other calls leave a half-open route to its probe; a probe that says nothing by then is forgotten."""

MAX_WAIT_SECONDS = 600
"""The longest wait that a provider may ask for."""

RouteKey = tuple[str, str]
"""A provider, and that provider's id of a model."""


class Stance(Enum):
    """What a call should do about a route: ask it, ask it only if nobody else is left, or not ask it at all."""

    READY = "ready"
    OPEN = "open"
    WAITING = "waiting"


@dataclass(slots=True)
class Circuit:
    """The state of one route. Times are moments, 0 for none; `changed` is when the circuit last opened or closed."""

    failures: int = 0
    openings: int = 0
    open_until: int = 0
    wait_until: int = 0
    probe_until: int = 0
    changed: int = 0

    @property
    def is_tripped(self) -> bool:
        """Whether the circuit is open or half-open."""
        return self.failures >= FAILURES_TO_OPEN


class Breaker:
    """The circuits of all routes, as this process knows them."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._circuits: dict[RouteKey, Circuit] = {}

    def stance(self, key: RouteKey) -> Stance:
        """What to do about the route now. A half-open one is ready until somebody has begun its probe."""
        circuit = self._circuits.get(key)
        if circuit is None:
            return Stance.READY
        now = self._clock()
        if now < circuit.wait_until:
            return Stance.WAITING
        blocked = now < circuit.open_until or now < circuit.probe_until
        return Stance.OPEN if circuit.is_tripped and blocked else Stance.READY

    def waits(self, key: RouteKey) -> float:
        """Seconds until the route's provider may be asked again, as it wished."""
        circuit = self._circuits.get(key)
        return max(0.0, (circuit.wait_until - self._clock()) / SECOND) if circuit else 0.0

    def begin(self, key: RouteKey) -> bool:
        """Note that a ready route is about to be asked; returns whether the request is the probe of a half-open one."""
        circuit = self._circuits.get(key)
        if circuit is None or not circuit.is_tripped or self.stance(key) is not Stance.READY:
            return False
        circuit.probe_until = self._clock() + PROBE_SECONDS * SECOND
        return True

    def abandon(self, key: RouteKey) -> None:
        """Note that the probe ended without a verdict, so that another call may probe."""
        if circuit := self._circuits.get(key):
            circuit.probe_until = 0

    def succeed(self, key: RouteKey) -> bool:
        """Note that a reply has begun; returns whether that closed the circuit."""
        circuit = self._circuits.get(key)
        if circuit is None:
            return False
        closed = circuit.is_tripped
        changed = self._clock() if closed else circuit.changed
        self._circuits[key] = Circuit(wait_until=circuit.wait_until, changed=changed)
        return closed

    def fail(self, key: RouteKey, wait_seconds: float = 0) -> bool:
        """Note a failure, after which the provider wants to be left alone for so long; returns whether that is news."""
        circuit, now = self._circuits.setdefault(key, Circuit()), self._clock()
        circuit.failures += 1
        circuit.probe_until = 0
        opens = circuit.is_tripped and now >= circuit.open_until
        if opens:
            circuit.openings += 1
            circuit.open_until = now + _pause_seconds(circuit.openings) * SECOND
            circuit.changed = now
        until = now + int(min(wait_seconds, MAX_WAIT_SECONDS) * SECOND)
        waits = wait_seconds > 0 and until > circuit.wait_until
        circuit.wait_until = max(circuit.wait_until, until)
        return opens or waits

    def circuit(self, key: RouteKey) -> Circuit:
        """The state of a route, for sharing."""
        return self._circuits.get(key) or Circuit()

    def learn(self, key: RouteKey, open_until: Micros, wait_until: Micros, changed: Micros) -> None:
        """Take over what another process knows, where it is newer; no longer than a process of ours would."""
        circuit, now = self._circuits.setdefault(key, Circuit()), self._clock()
        circuit.wait_until = max(circuit.wait_until, min(wait_until, now + MAX_WAIT_SECONDS * SECOND))
        if changed <= circuit.changed:
            return
        circuit.changed = changed
        if open_until > now:
            circuit.failures = max(circuit.failures, FAILURES_TO_OPEN)
            circuit.openings = max(circuit.openings, 1)
            circuit.open_until = min(open_until, now + MAX_PAUSE_SECONDS * SECOND)
        elif not open_until:
            circuit.failures = circuit.openings = circuit.open_until = circuit.probe_until = 0


def _pause_seconds(openings: int) -> int:
    return min(MAX_PAUSE_SECONDS, PAUSE_SECONDS * 2 ** min(openings - 1, 10))
