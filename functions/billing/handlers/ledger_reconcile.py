"""The schedule `ledger-reconcile`: compares wallets with their entries, each night."""

import asyncio
from dataclasses import asdict
from typing import Any

from callmissed.aws.database import Database
from callmissed.aws.runtime import at_micros, logs_failures
from callmissed.clock import Micros
from callmissed.ledger.reconcile import ReconcileReport, reconcile
from callmissed.observability import LoggableError, count, get_logger
from functions.billing.composition import compose

_logger = get_logger("ledger-reconcile")


class IncompleteError(LoggableError):
    """Wallets were left that could not be compared."""


@logs_failures("ledger-reconcile")
def handler(event: dict[str, Any], _context: object) -> dict[str, int]:
    """Reconcile as of `event["at"]` (ISO 8601). Raises when a wallet can't be read, so that the schedule retries."""
    report = asyncio.run(_reconcile(compose().database, at_micros(event)))
    for drift in report.drifts:
        _logger.error("a wallet and its entries disagree", extra=asdict(drift))
    count("LedgerDrift", len(report.drifts))
    if report.unread:
        raise IncompleteError(f"{len(report.unread)} of {report.tenants} tenants could not be compared")
    return {"tenants": report.tenants, "drifts": len(report.drifts)}


async def _reconcile(database: Database, now: Micros) -> ReconcileReport:
    try:
        return await reconcile(database, now)
    finally:
        await database.close()
