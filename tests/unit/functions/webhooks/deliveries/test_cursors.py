"""Cursors, time ranges and secrets of the API of webhooks, by their properties."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callmissed.clock import SECOND, Micros, micros_at
from callmissed.errors import ApiError
from callmissed.events.outbox import RETENTION
from callmissed.ids import sortable_id
from functions.webhooks.deliveries.cursors import before, cursor_after, is_delivery_id, key_behind
from functions.webhooks.deliveries.time_range import TimeRange, replayable
from functions.webhooks.delivery.signing import new_secret
from functions.webhooks.storage.records import DELIVERY_PREFIX, SigningSecret, delivery_id, key_before
from functions.webhooks.subscriptions.secrets import masked, rotated

NOW = Micros(1_795_599_000 * SECOND)
LATEST = 4_000_000_000 * SECOND
moments = st.integers(0, LATEST)
ids = st.builds(lambda at, bits: f"dlv_{sortable_id(at, bits)}", moments, st.integers(0, 2**60 - 1))


@given(ids, ids)
def test_a_page_goes_on_right_behind_its_cursor(last: str, other: str) -> None:
    assert (DELIVERY_PREFIX + other <= key_behind(cursor_after(last))) == (other < last)


@given(ids)
def test_neighbours_of_a_cursor_are_distinct(last: str) -> None:
    for letter in "0123456789ABCDEFGHJKMNPQRSTVWXYZ":
        other = last[:-1] + letter
        assert (other <= before(last)) == (other < last)


@given(st.text(max_size=60))
def test_no_text_leads_anywhere_but_to_deliveries(text: str) -> None:
    try:
        key = key_behind(text)
    except ApiError as refused:
        assert refused.status == 422
        return
    assert key.startswith(f"{DELIVERY_PREFIX}dlv_")


@given(st.text(max_size=40))
def test_only_ids_of_deliveries_are_cursors(text: str) -> None:
    if not is_delivery_id(text):
        with pytest.raises(ApiError):
            key_behind(cursor_after(text))


@given(moments, moments)
def test_a_moment_parts_deliveries(at: int, moment: int) -> None:
    key = DELIVERY_PREFIX + delivery_id(Micros(at), "event", "webhook")
    assert (key > key_before(Micros(moment))) == (at // 1000 >= moment // 1000)


@given(st.datetimes(datetime(1970, 1, 2), datetime(2100, 1, 1)), st.integers(-720, 720))
def test_microseconds_are_exact_in_every_zone(local: datetime, offset: int) -> None:
    moment = local.replace(tzinfo=timezone(timedelta(minutes=offset)))
    assert datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros_at(moment)) == moment


@pytest.mark.parametrize(
    ("since", "until", "time_range"),
    [
        (None, None, TimeRange(Micros(NOW - 86_400 * SECOND), NOW)),
        (NOW - RETENTION, None, TimeRange(Micros(NOW - RETENTION), NOW)),
        (NOW - 5, NOW - 4, TimeRange(Micros(NOW - 5), Micros(NOW - 4))),
        (NOW - 5, NOW + 4, TimeRange(Micros(NOW - 5), NOW)),
    ],
)
def test_time_ranges(since: int | None, until: int | None, time_range: TimeRange) -> None:
    assert replayable(moment(since), moment(until), NOW) == time_range


@pytest.mark.parametrize(
    ("since", "until"),
    [(NOW, None), (NOW + 1, None), (NOW - RETENTION - 1, None), (NOW - 5, NOW - 5), (NOW - 5, NOW - 6)],
)
def test_invalid_time_ranges_are_refused(since: int, until: int | None) -> None:
    with pytest.raises(ApiError) as refused:
        replayable(moment(since), moment(until), NOW)
    assert refused.value.status == 422


def test_a_rotation_keeps_the_newest_until_the_overlap_ends() -> None:
    first, both = [SigningSecret("a")], [SigningSecret("b"), SigningSecret("a", NOW + 1)]
    assert rotated(first, "b", until=Micros(NOW + 1), now=NOW) == both
    assert rotated(both, "c", until=Micros(NOW + 9), now=NOW) == [SigningSecret("c"), SigningSecret("b", NOW + 9)]
    assert rotated(both, "c", until=NOW, now=NOW) == [SigningSecret("c")]


def test_a_mask_hides_all_but_the_ends() -> None:
    secret = new_secret()
    assert masked(secret) == f"whse****{secret[-4:]}"
    assert new_secret() != secret


def moment(at: int | None) -> datetime | None:
    return None if at is None else datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at)
