"""Rate limits of people's routes: n requests in any window, over all processes.

One item for each limited thing holds the moments of the requests in the window. A request reads nothing before: it
assumes an empty window, and the refused write shows the moments that are there. Each further try fails only because
another request was counted, so n + 2 tries are enough. A refused request is not counted.
"""

from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address, ip_network

from callmissed.aws.attributes import Item
from callmissed.aws.comparisons import at_most, missing_or
from callmissed.aws.database import Database
from callmissed.aws.dynamodb import ConditionFailed
from callmissed.clock import SECOND, Micros
from callmissed.errors import ApiError
from callmissed.platform.tables import LIMITS

_TTL_SLACK_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `count` requests of one `name` and subject in any `seconds`."""

    name: str
    count: int
    seconds: int = 60


class SlidingWindows:
    """The limits of one stage. Raises Unavailable when DynamoDB does not answer."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def count(self, limit: Limit, subject: str, now: Micros) -> int:
        """Count a request of `subject`; returns how many the window has with it.

        One write where the window is empty, two otherwise. Raises ApiError 429 with Retry-After.
        """
        counted = await self._count(limit, subject, now)
        if counted.wait:
            message = f"Too many requests. Retry in {counted.wait} s."
            raise ApiError(429, "rate_limit_exceeded", message, headers={"Retry-After": str(counted.wait)})
        return counted.number

    async def wait(self, limit: Limit, subject: str, now: Micros) -> int:
        """Count a request of `subject`; or, above the limit, whole seconds until the next one is allowed."""
        return (await self._count(limit, subject, now)).wait

    async def _count(self, limit: Limit, subject: str, now: Micros) -> "_Counted":
        key, start = {"id": f"{limit.name}#{subject}"}, now - limit.seconds * SECOND
        expected: Item = {"latest": missing_or(at_most(start))}
        moments: list[int] = []
        for _ in range(limit.count + 2):
            if len(moments) >= limit.count:
                return _Counted(len(moments), -(-(moments[-limit.count] - start) // SECOND))
            try:
                await self._database.update(
                    LIMITS, key, set=_counted([*moments, now], limit), expected=expected, upsert=True
                )
            except ConditionFailed as refused:
                stored: list[int] = refused.item["moments"]
                moments = [moment for moment in stored if moment > start]
                expected = {"moments": stored}
            else:
                return _Counted(len(moments) + 1)
        return _Counted(limit.count, 1)


@dataclass(frozen=True, slots=True)
class _Counted:
    """Requests in the window; above the limit, whole seconds until the next one is allowed."""

    number: int
    wait: int = 0


def network_of(address: str) -> str:
    """The subject of an IP address: an IPv6 address counts with its /64, which one household or host has."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return "unknown"
    if not isinstance(parsed, IPv6Address):
        return str(parsed)
    if parsed.ipv4_mapped:
        return str(parsed.ipv4_mapped)
    return str(ip_network((parsed, 64), strict=False))


def _counted(moments: list[int], limit: Limit) -> Item:
    latest = max(moments)
    return {"moments": sorted(moments), "latest": latest, "ttl": latest // SECOND + limit.seconds + _TTL_SLACK_SECONDS}
