"""The schedule `month-turn`: starts the month in the wallets that are still in an earlier one.

It runs every quarter of an hour in the month's first four hours, so a run without time for all is followed by others.
"""

import asyncio
from dataclasses import asdict
from typing import Any

from callmissed.aws.database import Database
from callmissed.aws.runtime import at_micros, logs_failures
from callmissed.clock import MINUTE, Micros, system_clock
from callmissed.ledger.months import MonthReport, turn_month
from callmissed.observability import count, get_logger
from functions.billing.composition import compose

_MAX_RUN = 10 * MINUTE

_logger = get_logger("month-turn")


@logs_failures("month-turn")
def handler(event: dict[str, Any], _context: object) -> dict[str, int]:
    """Start the month of `event["at"]` (ISO 8601). Raises when a wallet can't be written, so that it is retried."""
    report = asyncio.run(_turn(compose().database, at_micros(event)))
    count("MonthsTurned", report.behind)
    result = asdict(report)
    _logger.info("turned the month", extra=result)
    return result


async def _turn(database: Database, now: Micros) -> MonthReport:
    try:
        return await turn_month(database, now, clock=system_clock, deadline=Micros(system_clock() + _MAX_RUN))
    finally:
        await database.close()
