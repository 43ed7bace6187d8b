"""What the benchmark of translated calls makes of its tallies."""

from bench.measure import Case, Tally
from bench.translation import PAIRS, budgets, rows

CASES = (Case(stream=False, concurrency=1, calls=10), Case(stream=True, concurrency=1, calls=10))


def test_a_translated_stream_is_compared_with_its_callers_own_dialect():
    tallies = {
        (pair, case.name): Tally(10, 0.01 if pair.caller == pair.upstream else 0.016)
        for pair in PAIRS
        for case in CASES
    }
    found = rows(CASES, tallies)
    assert {row.ratio for row in found if row.pair in {f"{pair.caller} → {pair.caller}" for pair in PAIRS}} == {1.0}
    checked = budgets(CASES, found)
    assert {budget.measured for budget in checked} == {1.6}
    assert not any(budget.holds for budget in checked)
    assert len(checked) == sum(pair.caller != pair.upstream for pair in PAIRS)
