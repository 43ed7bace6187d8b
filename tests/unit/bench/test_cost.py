"""The arithmetic of the cost model and its place in the document."""

from dataclasses import replace

import pytest

from bench.cost import DOCUMENT, Meter, ObjectPrices, Prices, Work, between_markers, cost_per_million, render
from bench.endpoints import endpoints
from bench.ours import Account
from callmissed.aws.dynamodb import Exchange
from callmissed.platform.routes.inference import ROUTES

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
OBJECTS = ObjectPrices(writes=5.0, reads=0.4, gb_month=0.023)
MUMBAI = replace(VIRGINIA, write_units=0.71, read_units=0.1425)
CHAT = Work("chat", round_trips=4, write_units=4, read_units=2, milliseconds=2000, memory_mb=512)


def test_a_million_calls_cost_their_units_requests_and_gb_seconds():
    cost = cost_per_million(CHAT, VIRGINIA, OBJECTS)
    assert cost.dynamodb == pytest.approx(4 * 0.625 + 2 * 0.125)
    assert cost.api == 3.50
    assert cost.compute == pytest.approx(0.20 + 2 * 0.5 * 13.3334)
    assert cost.objects == 0
    assert cost.total == pytest.approx(2.75 + 3.50 + 13.5334)


def test_what_a_call_leaves_in_s3_costs_a_month_of_storage_beside_its_requests():
    image = replace(CHAT, object_writes=2, object_reads=1, megabytes=1.5)
    cost = cost_per_million(image, VIRGINIA, OBJECTS)
    assert cost.objects == pytest.approx(2 * 5 + 0.4 + 1500 * 0.023)
    assert cost.total == pytest.approx(cost_per_million(CHAT, VIRGINIA, OBJECTS).total + cost.objects)


def test_the_table_has_a_total_for_every_region():
    head, rule, row = render([CHAT], {"us-east-1": (VIRGINIA, OBJECTS), "ap-south-1": (MUMBAI, OBJECTS)}).splitlines()
    assert head.endswith("| **us-east-1 $** | **ap-south-1 $** |")
    assert rule.count("---") == head.count("|") - 1
    assert row == "| chat | 4 | 4 | 2 | 0 | 0 | 2000 | 2.75 | 3.50 | 0.00 | 13.53 | 19.78 | 20.16 |"


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


def test_every_endpoint_of_v1_has_a_row_on_the_page():
    rows = endpoints(Account("tnt", "cm_live_x", "cm_test_x"))
    priced = {route for row in rows for route in row.routes}
    assert priced == {f"{route.method} {route.path}" for route in ROUTES if not route.path.startswith("/api/")}
    page = DOCUMENT.read_text()
    assert [row.title for row in rows if f"\n| {row.title} | " not in page] == []
