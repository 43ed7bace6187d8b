"""Calendar months, counted day by day and apart from the product's."""

from datetime import UTC, datetime, timedelta

from callmissed.clock import Micros

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def moment_of(year: int, month: int, day: int, hour: int = 0, minute: int = 0) -> Micros:
    """A moment in UTC."""
    return Micros((datetime(year, month, day, hour, minute, tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1))


def months_later(anchor: Micros, months: int) -> Micros:
    """The anchor's day and time so many months later, or the last day of a shorter month."""
    moment = _date(anchor)
    year, month = moment.year, moment.month
    for _ in range(months):
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)
    day = min(moment.day, _last_day(year, month))
    midnight = moment_of(moment.year, moment.month, moment.day)
    return Micros(moment_of(year, month, day) + anchor - midnight)


def calendar_month(moment: int) -> int:
    """The month of a moment, such as 202611."""
    date = _date(moment)
    return date.year * 100 + date.month


def first_of_next_month(moment: int) -> Micros:
    """The first moment of the month after."""
    date = _date(moment)
    return moment_of(date.year + date.month // 12, date.month % 12 + 1, 1)


def day_of(moment: int) -> str:
    """The date, such as 2026-01-31."""
    return _date(moment).date().isoformat()


def _last_day(year: int, month: int) -> int:
    day = datetime(year, month, 28, tzinfo=UTC)
    while (day + timedelta(days=1)).month == month:
        day += timedelta(days=1)
    return day.day


def _date(moment: int) -> datetime:
    return _EPOCH + timedelta(microseconds=moment)
