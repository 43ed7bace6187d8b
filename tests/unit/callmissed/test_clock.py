"""Months and seconds in UTC, exact to the microsecond."""

import calendar
import time
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callmissed.clock import MINUTE, SECOND, Micros, iso, month_of, month_start, seconds_to_next_month, system_clock

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MONTHS = st.tuples(st.integers(1971, 2200), st.integers(1, 12))


def first_of(year: int, month: int) -> int:
    """Microseconds since the epoch, computed with integers alone."""
    return calendar.timegm((year, month, 1, 0, 0, 0)) * SECOND


@settings(deadline=None)
@given(MONTHS)
def test_a_month_begins_with_its_first_microsecond(month: tuple[int, int]) -> None:
    begins = first_of(*month)
    before = (month[0], month[1] - 1) if month[1] > 1 else (month[0] - 1, 12)

    assert month_of(Micros(begins)) == month[0] * 100 + month[1]
    assert month_start(month_of(Micros(begins))) == begins
    assert month_of(Micros(begins - 1)) == before[0] * 100 + before[1]


@settings(deadline=None)
@given(MONTHS, st.integers(1, 28 * 24 * 3600 * SECOND))
def test_the_wait_for_the_next_month_is_rounded_up_to_whole_seconds(month: tuple[int, int], left: int) -> None:
    assert seconds_to_next_month(Micros(first_of(*month) - left)) == -(-left // SECOND)


@pytest.mark.parametrize(
    ("year", "month", "days"), [(2026, 12, 31), (2026, 11, 30), (2027, 2, 28), (2028, 2, 29), (2100, 2, 28)]
)
def test_at_its_first_moment_a_month_is_still_whole(year: int, month: int, days: int) -> None:
    assert seconds_to_next_month(Micros(first_of(year, month))) == days * 24 * 3600


@settings(deadline=None)
@given(st.integers(0, first_of(2200, 1)))
def test_times_are_shown_in_utc_to_the_millisecond_and_never_later_than_they_are(micros: int) -> None:
    shown = iso(Micros(micros))

    assert shown.endswith("Z")
    assert len(shown) == len("2026-11-16T00:00:00.000Z")
    assert datetime.fromisoformat(shown) == EPOCH + timedelta(milliseconds=micros // 1000)


def test_a_time_as_the_api_shows_it() -> None:
    assert iso(Micros(1_794_787_200_000_000)) == "2026-11-16T00:00:00.000Z"
    assert iso(Micros(1_794_787_200_999_999)) == "2026-11-16T00:00:00.999Z"
    assert iso(Micros(253_402_300_799_999_999)) == "9999-12-31T23:59:59.999Z"


@pytest.mark.parametrize("zone", ["Asia/Kolkata", "America/Los_Angeles", "UTC"])
def test_the_machines_time_zone_changes_nothing(monkeypatch: pytest.MonkeyPatch, zone: str) -> None:
    begins = first_of(2026, 12)
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        assert (month_of(Micros(begins - 1)), month_of(Micros(begins))) == (202611, 202612)
        assert seconds_to_next_month(Micros(begins - MINUTE)) == 60
        assert iso(Micros(begins)) == "2026-12-01T00:00:00.000Z"
    finally:
        monkeypatch.undo()
        time.tzset()


def test_the_system_clock_counts_whole_microseconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time_ns", lambda: 1_794_787_200_123_456_999)

    assert system_clock() == 1_794_787_200_123_456
