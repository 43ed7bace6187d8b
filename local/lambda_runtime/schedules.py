"""Schedules: the real handlers, called each time they are due, or by hand for any time."""

import asyncio
import logging
import re
from datetime import UTC, datetime, timedelta
from typing import Any

from callmissed.platform.functions import SCHEDULES
from local.lambda_runtime.functions import LambdaFunctions

_logger = logging.getLogger("callmissed.local")
_MINUTE = timedelta(minutes=1)
_RATE = re.compile(r"rate\((\d+) (minute|hour|day)s?\)")
_DAILY = re.compile(r"cron\((\d+) (\d+) \* \* \? \*\)")
_MONTHLY = re.compile(r"cron\(0/(\d+) (\d+)-(\d+) (\d+) \* \? \*\)")
_MINUTES = {"minute": 1, "hour": 60, "day": 24 * 60}


def is_due(expression: str, minute: datetime) -> bool:
    """Whether EventBridge Scheduler would call `expression` in this `minute` (UTC).

    Knows `rate(…)`, a daily `cron(M H * * ? *)`, and every so many minutes of some hours of a day of each month,
    `cron(0/M H-H D * ? *)`. Raises ValueError for anything else.
    """
    if rate := _RATE.fullmatch(expression):
        every = int(rate[1]) * _MINUTES[rate[2]]
        return int(minute.timestamp()) // 60 % every == 0
    if daily := _DAILY.fullmatch(expression):
        return (minute.minute, minute.hour) == (int(daily[1]), int(daily[2]))
    if monthly := _MONTHLY.fullmatch(expression):
        every, first, last, day = map(int, monthly.groups())
        return minute.day == day and first <= minute.hour <= last and minute.minute % every == 0
    raise ValueError(f"the local stack does not support the schedule {expression!r}")


def schedule_names() -> list[str]:
    """Names of the declared schedules."""
    return [schedule.name for schedule in SCHEDULES]


async def run_schedule(functions: LambdaFunctions, name: str, at: datetime) -> Any:
    """Answer of the function of schedule `name` for the time `at`. Raises KeyError for an unknown name."""
    schedule = {schedule.name: schedule for schedule in SCHEDULES}[name]
    return await functions.invoke(schedule.function, {"schedule": name, "at": at.astimezone(UTC).isoformat()})


async def run_schedules(functions: LambdaFunctions) -> None:
    """Run every schedule when it is due, until cancelled. A failure is logged."""
    minute = _floor(datetime.now(UTC))
    while True:
        minute += _MINUTE
        await asyncio.sleep((minute - datetime.now(UTC)).total_seconds())
        due = [schedule.name for schedule in SCHEDULES if is_due(schedule.expression, minute)]
        await asyncio.gather(*(_run_logged(functions, name, minute) for name in due))


async def _run_logged(functions: LambdaFunctions, name: str, at: datetime) -> None:
    try:
        await run_schedule(functions, name, at)
    except Exception:
        _logger.exception("schedule %s failed", name)


def _floor(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)
