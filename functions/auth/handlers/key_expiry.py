"""The schedule `key-expiry`: publishes expired API keys, each hour."""

import asyncio
from dataclasses import asdict
from typing import Any

from callmissed.aws.database import Database
from callmissed.aws.runtime import at_micros, logs_failures
from callmissed.clock import Micros
from callmissed.keys.expiry import ExpiryReport, publish_expired
from callmissed.observability import get_logger
from callmissed.settings import from_environment

_logger = get_logger("key-expiry")


@logs_failures("key-expiry")
def handler(event: dict[str, Any], _context: object) -> dict[str, int]:
    """Publish as of `event["at"]` (ISO 8601). Raises when a key can't be read, so that the schedule retries."""
    result = asdict(asyncio.run(_publish(Database.connect(from_environment()), at_micros(event))))
    _logger.info("searched for expired keys", extra=result)
    return result


async def _publish(database: Database, now: Micros) -> ExpiryReport:
    try:
        return await publish_expired(database, now)
    finally:
        await database.close()
