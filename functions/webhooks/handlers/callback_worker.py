"""The function `callback-worker`: processes the queue `callbacks`."""

from functools import cache
from typing import Any

from callmissed.aws.runtime import logs_failures, run
from functions.webhooks.callbacks.worker import CallbackWorker
from functions.webhooks.composition import compose


@logs_failures("callback-worker")
def handler(event: dict[str, Any], _context: object) -> dict[str, list[dict[str, str]]]:
    """Process a batch; SQS retries the failed messages that the result names."""
    failed = run(_worker().failures(event["Records"]))
    return {"batchItemFailures": [{"itemIdentifier": id} for id in failed]}


@cache
def _worker() -> CallbackWorker:
    return CallbackWorker(compose().database)
