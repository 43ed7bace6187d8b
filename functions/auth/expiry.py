"""The schedule `key-expiry`: tells tenants of API keys that have expired, each hour."""

import asyncio
from typing import Any

from callmissed.aws.database import Database
from callmissed.aws.dynamodb import DynamoDB
from callmissed.aws.schedules import at_micros
from callmissed.keys.expiry import ExpiryReport, tell_expired
from callmissed.observability import get_logger
from callmissed.settings import CoreSettings, from_environment

_logger = get_logger("key-expiry")


def handler(event: dict[str, Any], _context: object) -> dict[str, int]:
    """Look as of `event["at"]` (ISO 8601). Raises when a key can't be looked at, so that the schedule retries."""
    report = asyncio.run(_tell(from_environment(), at_micros(event)))
    result = {name: getattr(report, name) for name in ExpiryReport.__slots__}
    _logger.info("looked for expired keys", extra=result)
    return result


async def _tell(settings: CoreSettings, now: int) -> ExpiryReport:
    database = Database(DynamoDB(settings.region, settings.dynamodb_endpoint), settings.stage)
    try:
        return await tell_expired(database, now)
    finally:
        await database.close()
