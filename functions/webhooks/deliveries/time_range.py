"""Time ranges in requests: from `since`, included, to `until`, excluded, by the time of the event."""

from dataclasses import dataclass
from datetime import datetime

from callmissed.clock import SECOND, Micros, micros_at
from callmissed.events.outbox import RETENTION
from functions.webhooks.deliveries.errors import unprocessable

_HOUR = 3600 * SECOND
_DAY = 24 * _HOUR


@dataclass(frozen=True, slots=True)
class TimeRange:
    """Both ends in epoch microseconds."""

    since: Micros
    until: Micros


def replayable(
    since: datetime | None, until: datetime | None, now: Micros, *, failing_since: Micros | None = None
) -> TimeRange:
    """The range to replay: at most the 30 days for which events are kept. It ends at `now` at the latest.

    By default it covers the last 24 hours, and the whole outage of an endpoint that is `failing_since` (epoch
    microseconds). Raises ApiError 422.
    """
    begin = _begin(now, failing_since) if since is None else micros_at(since)
    end = now if until is None else min(micros_at(until), now)
    if begin < now - RETENTION:
        raise unprocessable("body", "since", "Events are kept for 30 days")
    if begin >= end:
        name = "since" if until is None else "until"
        raise unprocessable("body", name, "The time range must begin before it ends, and in the past")
    return TimeRange(begin, end)


def _begin(now: Micros, failing_since: Micros | None) -> Micros:
    """The default start, with a margin: an event is a little older than the first failure of its delivery."""
    return Micros(max(now - RETENTION, min(now - _DAY, (failing_since or now) - _HOUR)))
