"""The function `payment-worker`: processes the queue `payments`."""

from functools import cache
from typing import Any

from callmissed.aws.runtime import logs_failures, run
from functions.billing.composition import compose
from functions.billing.payments.worker import PaymentWorker
from functions.billing.payments_composition import PaymentsComposition


@logs_failures("payment-worker")
def handler(event: dict[str, Any], _context: object) -> dict[str, list[dict[str, str]]]:
    """Process a batch; SQS retries the failed messages that the result names."""
    failed = run(_worker().failures(event["Records"]))
    return {"batchItemFailures": [{"itemIdentifier": id} for id in failed]}


@cache
def _worker() -> PaymentWorker:
    return PaymentsComposition(compose()).worker
