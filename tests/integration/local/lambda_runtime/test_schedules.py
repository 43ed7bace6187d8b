"""When schedules are due, and which code they run."""

from datetime import UTC, datetime

import pytest

from callmissed.platform.functions import SCHEDULES, Schedule
from local.lambda_runtime.functions import LambdaFunctions
from local.lambda_runtime.schedules import is_due, run_schedule, schedule_names
from tests.support.local_handlers import CALLS, declared


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("expression", "minute", "due"),
    [
        ("rate(1 minute)", "2026-11-23T10:07", True),
        ("rate(5 minutes)", "2026-11-23T10:05", True),
        ("rate(5 minutes)", "2026-11-23T10:07", False),
        ("rate(1 hour)", "2026-11-23T10:00", True),
        ("rate(1 hour)", "2026-11-23T10:01", False),
        ("cron(30 20 * * ? *)", "2026-11-23T20:30", True),
        ("cron(30 20 * * ? *)", "2026-11-23T08:30", False),
        ("cron(30 20 * * ? *)", "2026-11-23T20:31", False),
        ("cron(0/15 0-3 1 * ? *)", "2026-12-01T03:45", True),
        ("cron(0/15 0-3 1 * ? *)", "2026-12-01T03:46", False),
        ("cron(0/15 0-3 1 * ? *)", "2026-12-01T04:00", False),
        ("cron(0/15 0-3 1 * ? *)", "2026-12-02T00:00", False),
    ],
)
def test_a_schedule_is_due_in_its_minutes(expression: str, minute: str, due: bool) -> None:
    assert is_due(expression, at(minute)) is due


@pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda schedule: schedule.name)
def test_the_local_stack_understands_every_declared_schedule(schedule: Schedule) -> None:
    assert is_due(schedule.expression, at("2026-11-23T10:07")) in (True, False)


def test_an_unknown_expression_is_an_error() -> None:
    with pytest.raises(ValueError, match="on mondays"):
        is_due("on mondays", at("2026-11-23T10:07"))


@pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda schedule: schedule.name)
async def test_a_function_gets_the_event_of_its_schedule(schedule: Schedule) -> None:
    CALLS.clear()
    await run_schedule(
        LambdaFunctions([declared(schedule.function, "remember")]), schedule.name, at("2026-11-23T10:07")
    )
    assert list(CALLS) == [{"schedule": schedule.name, "at": "2026-11-23T10:07:00+00:00"}]


def test_every_declared_schedule_has_a_name() -> None:
    assert schedule_names() == [schedule.name for schedule in SCHEDULES]
