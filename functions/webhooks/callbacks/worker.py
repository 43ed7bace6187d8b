"""The worker of the queue `callbacks`.

A message names a stored callback, whose text is in the outbox. A callback that nothing processes yet fails, and SQS
moves its message to `callbacks-dead` after all tries. `callmissed dlq` lists it there, and sends it back when a
processor exists. A callback with a processor that can't read it is counted as rejected, because another try would read
the same.
"""

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from callmissed.aws.attributes import Item
from callmissed.aws.database import Database
from callmissed.aws.dynamodb import Unavailable
from callmissed.clock import Clock, system_clock
from callmissed.events.outbox import publish
from callmissed.observability import LoggableError, count, get_logger
from callmissed.platform.tables import OUTBOX
from functions.webhooks.callbacks.receive import PLATFORM, StoredCallback
from functions.webhooks.callbacks.whatsapp.events import Reading, UnknownFieldError, read

_logger = get_logger("callback-worker")

Process = Callable[[Item, StoredCallback], Awaitable[None]]
"""Processes a stored callback, which is the outbox's item."""


class UnprocessableError(LoggableError):
    """A callback can't be processed, and a retry would not help. The message has the reason, and no content."""


class CallbackWorker:
    """Processes stored callbacks of one stage. Processing is idempotent."""

    def __init__(self, database: Database, clock: Clock = system_clock) -> None:
        self._database = database
        self._clock = clock
        self._processors: Mapping[str, Process] = {"callback.whatsapp": self._whatsapp}

    async def failures(self, records: list[dict[str, Any]]) -> list[str]:
        """Process SQS's `records`; returns the ids of those that failed."""
        return [record["messageId"] for record in records if not await self._process_record(record)]

    async def _process_record(self, record: dict[str, Any]) -> bool:
        try:
            stored = await self._stored(record)
            await self._process(stored)
        except (UnprocessableError, Unavailable) as error:
            _log_failure(record, error)
            return False
        except Exception:  # a failure affects only its own callback
            _logger.exception("unexpected failure", extra={"message_id": record["messageId"]})
            return False
        return True

    async def _stored(self, record: dict[str, Any]) -> Item:
        """The outbox's item that the message names, which EventBridge has put under `detail`."""
        try:
            message = json.loads(record["body"])
            id = str(message.get("detail", message)["id"])
        except (ValueError, KeyError, TypeError, AttributeError):
            raise UnprocessableError("the message names no callback") from None
        item = await self._database.get(OUTBOX, {"id": id})
        if not item:
            raise UnprocessableError("the callback is no longer kept")
        return item

    async def _process(self, item: Item) -> None:
        process = self._processors.get(item["type"])
        if process is None:
            raise UnprocessableError(f"nothing processes {item['type']} yet")
        try:
            await process(item, StoredCallback.model_validate_json(item["body"]))
        except ValueError as error:  # its text may contain the message's content, so it is not logged
            raise UnprocessableError(f"the text can't be read: {type(error).__name__}") from None

    async def _whatsapp(self, item: Item, callback: StoredCallback) -> None:
        try:
            reading = read(item["tenant"], callback.text, self._clock())
        except UnknownFieldError:
            raise UnprocessableError("nothing processes such a change of WhatsApp yet") from None
        if item["tenant"] == PLATFORM:
            reading = Reading(rejects=["a change of nobody's number"])
        for event in reading.events:
            await publish(self._database, event)
        _count_unpublished(item["id"], reading)


def _count_unpublished(callback_id: str, reading: Reading) -> None:
    """Count what became no event; `callback_id` finds its text in the outbox for 30 days."""
    if reading.rejects:
        count("CallbackRejected", len(reading.rejects))
        _logger.warning("a callback was rejected", extra={"callback": callback_id, "reasons": reading.rejects})
    if reading.error_codes:
        count("CallbackError", len(reading.error_codes))
        _logger.warning("WhatsApp reports errors", extra={"callback": callback_id, "codes": reading.error_codes})


def _log_failure(record: dict[str, Any], error: Exception) -> None:
    """Log the reason at the first try only: the others fail for the same reason."""
    if record.get("attributes", {}).get("ApproximateReceiveCount", "1") == "1":
        _logger.warning("a callback failed", extra={"message_id": record["messageId"], "reason": str(error)})
