"""The function `ledger-events`: follows the ledger's stream, and publishes thresholds that tenants have passed.

https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html
"""

from functools import cache
from typing import Any

from callmissed.aws.batches import Failures, changes, from_here
from callmissed.aws.runtime import logs_failures, run
from callmissed.clock import system_clock
from functions.billing.composition import composed
from functions.billing.notifier import ThresholdNotifier


@logs_failures("ledger-events")
def handler(event: dict[str, Any], _context: object) -> Failures:
    """Publish the thresholds that the entries passed. From the first failed record on, the batch is redelivered."""
    failed = run(notifier().notify(changes(event)))
    return from_here([failed] if failed else [])


@cache
def notifier() -> ThresholdNotifier:
    """Publishes passed thresholds, each once; made at the first invocation of this process."""
    composition = composed()
    return ThresholdNotifier(composition.database, composition.settings.low_credits, system_clock)
