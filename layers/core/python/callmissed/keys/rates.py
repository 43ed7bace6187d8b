"""The rate of a key: GCRA (ITU-T I.371, Annex A). A call conforms when arrival - tolerance <= now."""

from dataclasses import dataclass

from callmissed.clock import MINUTE, SECOND

_BURST_SECONDS = 10


@dataclass(frozen=True, slots=True)
class RateState:
    """The key's window: requests a minute, calls it may still make at once, microseconds until it is full again."""

    limit: int
    remaining: int
    reset: int

    @property
    def headers(self) -> dict[str, str]:
        """The window for response headers; the reset is in seconds from now, rounded up."""
        return {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(self.remaining),
            "X-RateLimit-Reset": str(-(-self.reset // SECOND)),
        }


def burst(rpm: int) -> int:
    """Calls allowed in one burst: those of ten seconds, at least one."""
    return max(1, rpm * _BURST_SECONDS // 60)


def interval_of(rpm: int) -> int:
    """Microseconds per request."""
    return MINUTE // rpm


def tolerance_of(rpm: int) -> int:
    """Microseconds by which the theoretical arrival time may be in the future when a call arrives."""
    return interval_of(rpm) * (burst(rpm) - 1)
