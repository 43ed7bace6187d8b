"""The arithmetic of the cost model and its place in the document."""

from dataclasses import replace

import pytest

from bench.cost import Meter, Prices, Work, between_markers, cost_per_million, render
from callmissed.aws.dynamodb import Exchange

BEGIN, END = "<!-- cost: begin -->", "<!-- cost: end -->"
VIRGINIA = Prices(
    write_units=0.625,
    read_units=0.125,
    rest_api=3.50,
    lambda_requests=0.20,
    lambda_gb_seconds=13.3334,
    events=1.00,
    schedules=1.00,
    queue_requests=0.40,
    fair_requests=0.10,
)
MUMBAI = replace(VIRGINIA, write_units=0.71, read_units=0.1425)
CHAT = Work("chat", round_trips=4, write_units=4, read_units=2, milliseconds=2000, memory_mb=512)


def test_a_million_calls_cost_their_units_requests_and_gb_seconds():
    cost = cost_per_million(CHAT, VIRGINIA)
    assert cost.dynamodb == pytest.approx(4 * 0.625 + 2 * 0.125)
    assert cost.api == 3.50
    assert cost.compute == pytest.approx(0.20 + 2 * 0.5 * 13.3334)
    assert cost.total == pytest.approx(2.75 + 3.50 + 13.5334)


def test_the_table_has_a_total_for_every_region():
    head, rule, row = render([CHAT], {"us-east-1": VIRGINIA, "ap-south-1": MUMBAI}).splitlines()
    assert head.endswith("| **us-east-1 $** | **ap-south-1 $** |")
    assert rule.count("---") == head.count("|") - 1
    assert row == "| chat | 4 | 4 | 2 | 2000 | 2.75 | 3.50 | 13.53 | 19.78 | 20.16 |"


def test_only_what_stands_between_the_markers_is_replaced():
    document = f"before\n{BEGIN}\nold\n{END}\nafter\n"
    assert between_markers(document, "new") == f"before\n{BEGIN}\nnew\n{END}\nafter\n"


def test_a_document_without_markers_is_refused():
    with pytest.raises(ValueError, match="lacks"):
        between_markers("nothing here", "new")


def test_reads_and_writes_are_counted_apart_and_a_failed_condition_as_one_write():
    meter = Meter()
    for operation, capacity in (("GetItem", 0.5), ("UpdateItem", 2.0), ("UpdateItem", 0.0)):
        meter.count(Exchange(operation, "a-table", capacity))
    assert (meter.round_trips, meter.read_units, meter.write_units) == (3, 0.5, 3.0)
