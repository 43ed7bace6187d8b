"""The worker of the queue `callbacks`.

A message names a stored callback, whose text is in the outbox. Nothing processes callbacks of Twilio yet: each fails,
and SQS moves its message to `callbacks-dead` after all tries. `callmissed dlq` lists it there, and sends it back when a
processor exists. Callbacks of WhatsApp and of the payment gateway have queues of their own.
"""

from typing import Any

from callmissed.aws.database import Database
from callmissed.aws.dynamodb import Unavailable
from callmissed.integrations.callbacks import UnprocessableError, callback_item, log_failed_callback
from callmissed.observability import get_logger

_logger = get_logger("callback-worker")


class CallbackWorker:
    """Processes stored callbacks of one stage."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def failures(self, records: list[dict[str, Any]]) -> list[str]:
        """Process SQS's `records`; returns the ids of those that failed."""
        return [record["messageId"] for record in records if not await self._process_record(record)]

    async def _process_record(self, record: dict[str, Any]) -> bool:
        try:
            item = await callback_item(self._database, record)
            raise UnprocessableError(f"nothing processes {item['type']} yet")
        except (UnprocessableError, Unavailable) as error:
            log_failed_callback(_logger, record, error)
            return False
