"""The delivery numbers as tables and as JSON."""

from dataclasses import replace
from pathlib import Path

from bench.delivery.cost import Bill
from bench.delivery.numbers import ALONE, BESIDE_OUTAGE, Delay, Numbers, Speed, budgets, delay
from bench.delivery.report import delay_rows, kept_soak, tables, write
from bench.delivery.soak import Soak
from bench.delivery.units import Units
from bench.measure import Quantiles

SOAK = Soak(events=200, steps=3000, deaths=7, attempts=206, lost=0, duplicates=3, seconds=2.0)
DELAYS = {ALONE: Delay(10, Quantiles(5.0, 10.0), 11.0), BESIDE_OUTAGE: Delay(10, Quantiles(6.0, 15.0), 16.0)}
BILL = Bill(dynamodb=3.0, events=1.0, queues=1.08, compute=0.3)
NUMBERS = Numbers(
    cores=2,
    speeds={"deliveries": Speed(123.4, 2.0)},
    delays=DELAYS,
    probes=2,
    units={"parked": Units(4.04, 3.01, 3.02, 2.55)},
    bills={"here": {"success": BILL}, "there": {"success": replace(BILL, dynamodb=4.0)}},
    single={"success": replace(BILL, compute=9.0)},
    long_waits={"index": 22.655},
    budgets=budgets(DELAYS, SOAK),
    soak=SOAK,
)


def test_delays_have_quantiles_and_the_longest():
    found = delay([float(value) for value in range(200, 0, -1)])
    assert (found.count, found.quantiles, found.longest) == (200, Quantiles(100.0, 198.0), 200.0)


def test_delays_are_put_beside_those_of_the_tenant_alone():
    _, alone, beside = delay_rows(NUMBERS)
    assert alone == [ALONE, "10", "5.0", "10.0", "11.0", "1.00"]
    assert beside == [BESIDE_OUTAGE, "10", "6.0", "15.0", "16.0", "1.50"]


def test_the_quiet_tenant_may_wait_twice_as_long_and_nothing_may_be_lost():
    assert [budget.holds for budget in budgets(DELAYS, SOAK)] == [True, True]
    slow = DELAYS | {BESIDE_OUTAGE: Delay(10, Quantiles(6.0, 20.1), 21.0)}
    assert [budget.holds for budget in budgets(slow, replace(SOAK, lost=1))] == [False, False]
    assert len(budgets(DELAYS, None)) == 1


def test_the_tables_have_units_dollars_and_the_rate_of_duplicates():
    text = tables(NUMBERS)
    assert "| parked | 4.04 | 3.01 | 3.02 | 2.55 |" in text
    assert "| success | 3.00 | 1.00 | 1.08 | 0.30 | 14.08 | 5.38 | 6.38 |" in text
    assert "| 200 | 3,000 | 7 | 206 | 0 | 3 | 1.50 % |" in text
    assert "| deliveries | 123 | 2.00 |" in text


def test_a_run_without_a_soak_keeps_the_one_before(tmp_path: Path):
    results, document = tmp_path / "delivery.json", tmp_path / "performance.md"
    document.write_text("before\n<!-- delivery: begin -->\n<!-- delivery: end -->\nafter\n")
    assert kept_soak(results) is None

    write(NUMBERS, results, document)

    assert kept_soak(results) == SOAK
    assert document.read_text().startswith("before\n<!-- delivery: begin -->\n### Deliveries per worker")
    assert document.read_text().endswith("<!-- delivery: end -->\nafter\n")
