"""The function `whatsapp-inbound`: processes the queue `whatsapp`."""

from functools import cache
from typing import Any

from callmissed.aws.runtime import logs_failures, run
from functions.bots.composition import compose
from functions.bots.inbound.worker import InboundWorker


@logs_failures("whatsapp-inbound")
def handler(event: dict[str, Any], _context: object) -> dict[str, list[dict[str, str]]]:
    """Process a batch; SQS retries the failed messages that the result names."""
    failed = run(_worker().failures(event["Records"]))
    return {"batchItemFailures": [{"itemIdentifier": id} for id in failed]}


@cache
def _worker() -> InboundWorker:
    composition = compose()
    return InboundWorker(composition.database, composition.turns)
