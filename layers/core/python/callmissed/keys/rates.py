"""The rate of a key: GCRA (ITU-T I.371, Annex A). A call conforms when arrival - tolerance <= now."""

from dataclasses import dataclass
from functools import lru_cache

from callmissed.clock import MINUTE, SECOND

_BURST_SECONDS = 10


@dataclass(frozen=True, slots=True)
class RateState:
    """The key's rate: requests a minute, calls it may still make at once, microseconds until it is full again."""

    rpm: int
    remaining: int
    reset: int

    @property
    def headers(self) -> dict[str, str]:
        """The rate for response headers.

        `X-RateLimit-*` speak of calls at once: at most Limit, now Remaining, and Limit again in Reset seconds (rounded
        up). `RateLimit-Policy` is the rate by which they come back, in the form of
        https://www.ietf.org/archive/id/draft-ietf-httpapi-ratelimit-headers-10.html
        """
        return {
            **_fixed_headers(self.rpm),
            "X-RateLimit-Remaining": str(self.remaining),
            "X-RateLimit-Reset": str(-(-self.reset // SECOND)),
        }


@lru_cache(maxsize=1024)
def _fixed_headers(rpm: int) -> dict[str, str]:
    """The headers that are the same for every call of a key."""
    return {"X-RateLimit-Limit": str(burst(rpm)), "RateLimit-Policy": f'"key";q={rpm};w=60'}


def burst(rpm: int) -> int:
    """Calls allowed in one burst: those of ten seconds, at least one."""
    return max(1, rpm * _BURST_SECONDS // 60)


def interval_of(rpm: int) -> int:
    """Microseconds per request."""
    return MINUTE // rpm


def tolerance_of(rpm: int) -> int:
    """Microseconds by which the theoretical arrival time may be in the future when a call arrives."""
    return interval_of(rpm) * (burst(rpm) - 1)
