"""Time as a parameter, so that tests can change the month and skew clocks."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import NewType

Micros = NewType("Micros", int)
"""A moment: microseconds since the Unix epoch."""

Clock = Callable[[], Micros]
"""Returns the current moment."""

SECOND = 1_000_000
MINUTE = 60 * SECOND
_EPOCH = datetime.fromtimestamp(0, UTC)


def system_clock() -> Micros:
    """Now, by this machine's clock."""
    return Micros(time.time_ns() // 1000)


def month_of(micros: Micros) -> int:
    """Calendar month in UTC as a number, such as 202611."""
    moment = datetime.fromtimestamp(micros / SECOND, UTC)
    return moment.year * 100 + moment.month


def month_start(month: int) -> Micros:
    """First moment of a calendar month in UTC, such as 202611."""
    return Micros(int(datetime(month // 100, month % 100, 1, tzinfo=UTC).timestamp()) * SECOND)


def month_end(month: int) -> Micros:
    """First moment of the calendar month in UTC after `month`, such as 202611."""
    return month_start(month + 1 if month % 100 < 12 else month + 89)


def seconds_to_next_month(micros: Micros) -> int:
    """Whole seconds, rounded up, until the first of the next month in UTC."""
    moment = datetime.fromtimestamp(micros / SECOND, UTC)
    year, month = (moment.year + 1, 1) if moment.month == 12 else (moment.year, moment.month + 1)
    return -int(-(datetime(year, month, 1, tzinfo=UTC).timestamp() - micros / SECOND) // 1)


def iso(micros: Micros) -> str:
    """ISO 8601 in UTC with milliseconds, as the API shows times."""
    moment = _EPOCH + timedelta(microseconds=micros)  # exact, where a float of a late year is not
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def micros_of(text: str) -> Micros:
    """The moment of an ISO 8601 text with a time zone; the inverse of `iso`. Raises ValueError."""
    return micros_at(datetime.fromisoformat(text))


def micros_at(moment: datetime) -> Micros:
    """The moment of a datetime with a time zone."""
    return Micros((moment - _EPOCH) // timedelta(microseconds=1))
