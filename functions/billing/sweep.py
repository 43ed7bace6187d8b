"""The schedule `hold-sweep`: resolves holds whose call never settled, each minute."""

import asyncio
from typing import Any

from callmissed.aws.database import Database
from callmissed.aws.dynamodb import DynamoDB
from callmissed.aws.schedules import at_micros
from callmissed.ledger.sweep import SweepReport, sweep
from callmissed.observability import count, get_logger
from callmissed.settings import CoreSettings, from_environment

_logger = get_logger("ledger-sweep")


def handler(event: dict[str, Any], _context: object) -> dict[str, int]:
    """Sweep as of `event["at"]` (ISO 8601). Raises when DynamoDB does not answer, so that the schedule retries."""
    report = asyncio.run(_sweep(from_environment(), at_micros(event)))
    count("HoldSweepBacklog", report.backlog)
    result = {name: getattr(report, name) for name in SweepReport.__slots__}
    _logger.info("swept", extra=result)
    return result


async def _sweep(settings: CoreSettings, now: int) -> SweepReport:
    database = Database(DynamoDB(settings.region, settings.dynamodb_endpoint), settings.stage)
    try:
        return await sweep(database, now)
    finally:
        await database.close()
