"""The arithmetic of request units, from items alone."""

from typing import Any

import pytest

from bench.delivery.units import Units, index_units, item_bytes, write_units
from callmissed.platform.tables import DELIVERIES, DUE

DELIVERY: dict[str, Any] = {"webhook": "t#w", "item": "D#1", "event": "evt_1", "n": 0}
DUE_AT_8 = DELIVERY | {"shard": "1", "due": "8"}


@pytest.mark.parametrize(
    ("item", "size"),
    [
        ({}, 0),
        ({"ab": "cde"}, 5),
        ({"a": "ä"}, 3),
        ({"a": True, "b": None}, 4),
        ({"n": 0}, 3),
        ({"n": -1234}, 4),
        ({"l": ["ab", 1]}, 1 + 3 + 2 + 2 + 2),
        ({"m": {"k": "v"}}, 1 + 3 + 1 + 2),
    ],
)
def test_an_item_is_as_large_as_its_names_and_values(item: dict[str, Any], size: int):
    assert item_bytes(item) == size


@pytest.mark.parametrize(("letters", "units"), [(0, 1), (1023, 1), (1024, 2), (2047, 2), (2048, 3)])
def test_a_write_takes_a_unit_for_each_started_kilobyte(letters: int, units: int):
    assert write_units({"a": "x" * letters}) == units


def test_writing_nothing_takes_a_unit():
    assert write_units({}) == 1


@pytest.mark.parametrize(
    ("before", "after", "units"),
    [
        (DELIVERY, DELIVERY | {"state": "delivered"}, 0),
        (DELIVERY, DUE_AT_8, 1),
        (DUE_AT_8, DELIVERY, 1),
        (DUE_AT_8, {}, 1),
        (DUE_AT_8, DUE_AT_8 | {"due": "9"}, 2),
        (DUE_AT_8, DUE_AT_8 | {"n": 1}, 1),
        (DUE_AT_8, DUE_AT_8 | {"state": "parked"}, 0),
        ({}, DUE_AT_8 | {"event": "x" * 2000}, 2),
    ],
    ids=["never in", "comes in", "goes out", "is deleted", "moves", "shows another", "shows the same", "is large"],
)
def test_the_index_takes_what_its_entry_does(before: dict[str, Any], after: dict[str, Any], units: int):
    assert index_units(DELIVERIES, DUE, before, after) == units


def test_units_add_up_and_multiply():
    one = Units(round_trips=1, table_writes=2, index_writes=3, reads=0.5)
    both = one + one.times(2)
    assert (both.round_trips, both.table_writes, both.index_writes, both.reads) == (3, 6, 9, 1.5)
    assert both.writes == 15
