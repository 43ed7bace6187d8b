"""A tenth of the simulated year: half a year with a New Year and a leap February."""

from collections.abc import Callable

from bench.billing_year.soak import YearPlan, live
from local.aws.tables import StageTables

PLAN = YearPlan(seed=1, tenants=10, days=182, year=2027, month=10)
HAPPENED = (
    "plan, renewed early",
    "plan, renewed in grace",
    "plan, upgraded",
    "plan, paid back",
    "given, enterprise",
    "enterprise, left",
    "month, by a call on free",
    "month, by the schedule",
    "refund, dashboard",
    "debt, paid",
    "call, budget_exceeded",
    "call, insufficient_credits",
    "swept, charged",
    "swept, given back",
)


async def test_half_a_year_ends_with_every_period_and_every_paisa_right(new_tables: Callable[[], StageTables]) -> None:
    report = await live(PLAN, new_tables())
    assert report.wrong == []
    assert [what for what in HAPPENED if not report.done[what]] == []
    assert report.broken.total() >= 20
