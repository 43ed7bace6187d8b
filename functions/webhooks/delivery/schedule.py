"""When a failed delivery is retried: ten attempts over 75.6 hours."""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from callmissed.clock import SECOND, Micros

_MINUTE, _HOUR = 60, 3600
WAITS = (5, 5 * _MINUTE, 30 * _MINUTE, 2 * _HOUR, 5 * _HOUR, 10 * _HOUR, 14 * _HOUR, 20 * _HOUR, 24 * _HOUR)
"""Seconds between consecutive attempts."""

ATTEMPTS = len(WAITS) + 1
JITTER = 0.2
"""Jitter: share by which a wait is longer or shorter, so that deliveries that failed together retry apart."""

_MAX_WAIT = 24 * _HOUR


def wait_after(made: int, jitter: float, asked: int | None) -> int | None:
    """Microseconds from attempt number `made` to the next; None when it was the last.

    `jitter` is a random number from 0 to 1; `asked` are the seconds of the endpoint's `Retry-After`, which is used
    when it is longer than our wait, up to a day.
    """
    if made >= ATTEMPTS:
        return None
    wait = WAITS[made - 1] * (1 - JITTER + 2 * JITTER * jitter)
    return int(max(wait, min(asked or 0, _MAX_WAIT)) * SECOND)


def retry_after(headers: Mapping[str, str], now: Micros) -> int | None:
    """Seconds of a `Retry-After` header (RFC 9110, section 10.2.3), from `now`; None without one.

    Names in `headers` are in lower case.
    """
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return int(text[:9])
    try:
        moment = parsedate_to_datetime(text)
    except (OverflowError, ValueError):
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0, int((moment - datetime.fromtimestamp(now / SECOND, UTC)).total_seconds()))
