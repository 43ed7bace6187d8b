"""The schedule `hold-sweep`: resolves holds whose call never settled, each minute."""

import asyncio
from dataclasses import asdict
from typing import Any

from callmissed.aws.database import Database
from callmissed.aws.runtime import at_micros, logs_failures
from callmissed.clock import Micros
from callmissed.keys.budgets import KeyBudgets
from callmissed.ledger.sweep import SweepReport, sweep
from callmissed.observability import count, get_logger
from functions.billing.composition import compose

_logger = get_logger("ledger-sweep")


@logs_failures("ledger-sweep")
def handler(event: dict[str, Any], _context: object) -> dict[str, int]:
    """Sweep as of `event["at"]` (ISO 8601). Raises when DynamoDB does not answer, so that the schedule retries."""
    report = asyncio.run(_sweep(compose().database, at_micros(event)))
    count("HoldSweepBacklog", report.backlog)
    result = asdict(report)
    _logger.info("swept", extra=result)
    return result


async def _sweep(database: Database, now: Micros) -> SweepReport:
    try:
        return await sweep(database, now, KeyBudgets)
    finally:
        await database.close()
