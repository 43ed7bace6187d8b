"""Periods: calendar months from an anchor, without drift, over leap years."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callmissed.clock import Micros, iso, micros_at, micros_of
from callmissed.money import Paise
from functions.billing.subscriptions.periods import period_start, unused_share

ANCHORS = st.datetimes(datetime(1999, 1, 1), datetime(2104, 12, 31), timezones=st.just(UTC)).map(micros_at)
MONTHS = st.integers(0, 240)


def at(day: str) -> Micros:
    return micros_of(f"{day}T10:30:00Z")


@pytest.mark.parametrize(
    ("anchor", "starts"),
    [
        ("2027-01-31", ["2027-01-31", "2027-02-28", "2027-03-31", "2027-04-30", "2027-05-31"]),
        ("2028-01-31", ["2028-01-31", "2028-02-29", "2028-03-31"]),
        ("2027-12-30", ["2027-12-30", "2028-01-30", "2028-02-29", "2028-03-30"]),
        ("2028-02-29", ["2028-02-29", "2028-03-29"]),
        ("2026-11-15", ["2026-11-15", "2026-12-15", "2027-01-15"]),
    ],
)
def test_periods_begin_on_the_anchors_day_or_a_shorter_months_last(anchor: str, starts: list[str]) -> None:
    assert [period_start(at(anchor), number) for number in range(len(starts))] == [at(day) for day in starts]


def test_a_leap_day_comes_back_every_fourth_year() -> None:
    days = [iso(period_start(at("2028-02-29"), 12 * year))[:10] for year in range(5)]

    assert days == ["2028-02-29", "2029-02-28", "2030-02-28", "2031-02-28", "2032-02-29"]


@given(ANCHORS, MONTHS)
def test_a_start_keeps_day_and_time_and_never_drifts(anchor: Micros, number: int) -> None:
    first, start = (datetime.fromisoformat(iso(each)) for each in (anchor, period_start(anchor, number)))

    assert (start.year - first.year) * 12 + start.month - first.month == number
    assert start.time() == first.time()
    is_last_day = (start + timedelta(days=1)).month != start.month
    assert start.day == first.day or (start.day < first.day and is_last_day)


@given(ANCHORS, MONTHS, st.floats(0, 1, exclude_max=True))
def test_periods_cover_time_without_gap_or_overlap(anchor: Micros, number: int, part: float) -> None:
    start, end = period_start(anchor, number), period_start(anchor, number + 1)
    days = (end - start) / (24 * 3600 * 1_000_000)
    moment = Micros(start + int((end - 1 - start) * part))

    assert 28 <= days <= 31
    assert start <= moment < end
    assert [n for n in range(number + 3) if period_start(anchor, n) <= moment < period_start(anchor, n + 1)] == [number]


@given(st.integers(0, 10**9), st.integers(0, 10**10), st.integers(1, 10**10), st.integers(-(10**10), 3 * 10**10))
def test_the_unused_share_is_never_more_than_what_is_left(price: int, start: int, length: int, now: int) -> None:
    share = unused_share(Paise(price), Micros(start), Micros(start + length), Micros(now))
    left = min(max(0, start + length - now), length)

    assert 0 <= share <= price
    assert share * length <= price * left < (share + 1) * length


def test_the_whole_price_is_unused_at_the_start_and_nothing_at_the_end() -> None:
    assert unused_share(Paise(99_900), at("2027-01-31"), at("2027-02-28"), at("2027-01-31")) == 99_900
    assert unused_share(Paise(99_900), at("2027-01-31"), at("2027-02-28"), at("2027-02-28")) == 0
    assert unused_share(Paise(99_900), at("2027-01-31"), at("2027-02-28"), at("2027-02-14")) == 49_950
