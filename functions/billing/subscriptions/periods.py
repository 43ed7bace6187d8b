"""Periods of a subscription: calendar months from an anchor, without drift.

Period n begins n months after the anchor, on the anchor's day and at its time (UTC), or on the last day of a shorter
month: 31 January, 28 February, 31 March. Each is counted from the anchor, so a short month moves no later one.
"""

from calendar import monthrange
from datetime import UTC, datetime, timedelta

from callmissed.clock import Micros, micros_at
from callmissed.money import Paise

_EPOCH = datetime.fromtimestamp(0, UTC)


def period_start(anchor: Micros, number: int) -> Micros:
    """First moment of period `number`, which is also the end of the one before. Period 0 begins at the anchor."""
    moment = _EPOCH + timedelta(microseconds=anchor)
    years, month = divmod(moment.month - 1 + number, 12)
    year = moment.year + years
    day = min(moment.day, monthrange(year, month + 1)[1])
    return micros_at(moment.replace(year=year, month=month + 1, day=day))


def unused_share(price: Paise, start: Micros, end: Micros, now: Micros) -> Paise:
    """The part of `price` for what is left of a period at `now`: exact in time, rounded down to a paisa."""
    left = min(max(0, end - now), end - start)
    return Paise(price * left // (end - start))
