"""Time as a parameter, so that tests can turn months and skew clocks."""

import time
from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], int]
"""Returns microseconds since the Unix epoch."""

SECOND = 1_000_000
MINUTE = 60 * SECOND


def system_clock() -> int:
    """Microseconds since the Unix epoch by this machine's clock."""
    return time.time_ns() // 1000


def month_of(micros: int) -> int:
    """Calendar month in UTC as a number, such as 202611."""
    moment = datetime.fromtimestamp(micros / SECOND, UTC)
    return moment.year * 100 + moment.month


def month_start(month: int) -> int:
    """First microsecond since the epoch of a calendar month in UTC, such as 202611."""
    return int(datetime(month // 100, month % 100, 1, tzinfo=UTC).timestamp()) * SECOND


def seconds_to_next_month(micros: int) -> int:
    """Whole seconds, rounded up, until the first of the next month in UTC."""
    moment = datetime.fromtimestamp(micros / SECOND, UTC)
    year, month = (moment.year + 1, 1) if moment.month == 12 else (moment.year, moment.month + 1)
    return -int(-(datetime(year, month, 1, tzinfo=UTC).timestamp() - micros / SECOND) // 1)


def iso(micros: int) -> str:
    """ISO 8601 in UTC with milliseconds, as the API shows times."""
    moment = datetime.fromtimestamp(micros / SECOND, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
