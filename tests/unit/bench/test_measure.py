"""The figures and budgets that the benchmark derives from its samples."""

import pytest

from bench.load import Outcome, Sample
from bench.measure import (
    BASELINE,
    OURS,
    OURS_INSTANT,
    TOWARDS,
    Budget,
    Case,
    GatewayResult,
    Quantiles,
    Tally,
    budgets,
    cpu_per_chunk,
    figures,
    quantiles,
)

BLOCKING = Case(stream=False, concurrency=1, calls=10)
STREAMING = Case(stream=True, concurrency=16, calls=10)


def tally(*samples: Sample, calls: int = 0, cpu_seconds: float = 0.0) -> Tally:
    return Tally(calls or len(samples), cpu_seconds, list(samples))


def result(case: Case, *, cpu_ms: float, added_ms: float, resident_mb: float = 100.0) -> GatewayResult:
    direct = tally(Sample(1.0, 1.0))
    measured = tally(Sample(1.0 + added_ms, 1.0 + added_ms), cpu_seconds=cpu_ms / 1000)
    return GatewayResult("1", 1.0, resident_mb, {case.name: figures(case, measured, direct)})


def test_quantiles_take_the_nearest_rank():
    assert quantiles([float(value) for value in range(200, 0, -1)]) == Quantiles(100.0, 198.0)


def test_quantiles_of_one_value_are_that_value():
    assert quantiles([3.0]) == Quantiles(3.0, 3.0)


def test_no_values_have_no_quantiles():
    with pytest.raises(ValueError, match="no values"):
        quantiles([])


def test_a_blocking_call_is_timed_to_its_end_and_a_stream_to_its_first_bytes():
    direct, measured = tally(Sample(1.0, 2.0)), tally(Sample(4.0, 9.0))
    assert figures(BLOCKING, measured, direct).added.p50 == 7.0
    assert figures(STREAMING, measured, direct).added.p50 == 3.0
    assert figures(STREAMING, measured, direct).whole.p50 == 9.0


def test_the_time_at_dynamodb_is_shown_apart():
    found = figures(BLOCKING, tally(Sample(9.0, 9.0, db=6.0), Sample(5.0, 5.0, db=1.0)), tally(Sample(1.0, 1.0)))
    assert found.db == Quantiles(1.0, 6.0)
    assert found.added == Quantiles(4.0, 8.0)


def test_cpu_is_spread_over_unmeasured_calls_too():
    found = figures(BLOCKING, tally(Sample(1.0, 1.0), calls=4, cpu_seconds=0.02), tally(Sample(1.0, 1.0)))
    assert found.cpu == pytest.approx(5.0)


def test_cpu_of_a_stream_is_spread_over_its_24_content_events():
    found = figures(STREAMING, tally(Sample(1.0, 1.0), cpu_seconds=0.024), tally(Sample(1.0, 1.0)))
    assert cpu_per_chunk(found) == pytest.approx(1.0)


def test_a_tally_adds_up_its_rounds():
    total = Tally()
    total.add(Outcome(2, [Sample(1.0, 1.0)]), 0.5)
    total.add(Outcome(3, [Sample(2.0, 2.0)]), 0.25)
    assert (total.calls, total.cpu_seconds, len(total.samples)) == (5, 0.75, 2)


@pytest.mark.parametrize(("measured", "holds"), [(2.0, True), (2.01, False)])
def test_a_budget_holds_up_to_its_limit(measured: float, holds: bool):
    assert Budget("what", measured, 2.0, "ms").holds is holds


def test_blocking_calls_may_take_half_of_the_baselines_cpu_and_streams_a_quarter():
    for case, share in ((BLOCKING, 2), (STREAMING, 4)):
        results = {
            OURS: result(case, cpu_ms=3.0, added_ms=20.0),
            OURS_INSTANT: result(case, cpu_ms=1.0, added_ms=2.0),
            BASELINE: result(case, cpu_ms=8.0, added_ms=10.0),
            TOWARDS: result(case, cpu_ms=1.5, added_ms=1.0),
        }
        by_name = {budget.what: budget for budget in budgets([case], results, {}, 0.8)}
        cpu = by_name[f"{case.name}: CPU per call"]
        assert (cpu.measured, cpu.limit, cpu.towards) == pytest.approx((3.0, 8.0 / share, 1.5))
        latency = by_name[f"{case.name}: added p99 with instant DynamoDB"]
        assert (latency.measured, latency.limit, latency.towards) == pytest.approx((2.0, 5.0, 1.0))


def test_without_the_baseline_peer_only_absolute_budgets_are_checked():
    ours = result(BLOCKING, cpu_ms=3.0, added_ms=2.0, resident_mb=131.0)
    results = {OURS: ours, OURS_INSTANT: ours}
    checked = budgets([BLOCKING], results, {"functions.inference.app": 1.2}, 0.8)
    assert [(budget.what, budget.holds) for budget in checked] == [
        ("import CPU of functions.inference.app", True),
        ("import CPU of the authorizer", True),
        ("resident memory after load", False),
    ]
