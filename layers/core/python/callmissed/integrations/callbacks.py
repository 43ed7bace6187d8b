"""Stored callbacks of providers: items of the outbox, which messages on queues name.

    { "detail": { "id": id of the item, … } }      as EventBridge puts it into a queue

A callback that can't be processed fails, and SQS moves its message to the dead-letter queue after all tries.
`callmissed dlq` lists it there and sends it back. Its text stays in the outbox.
"""

import json
from collections.abc import Mapping
from typing import Any

from aws_lambda_powertools.logging import Logger
from pydantic import BaseModel, ConfigDict

from callmissed.aws.attributes import Item
from callmissed.aws.database import Database
from callmissed.observability import LoggableError
from callmissed.platform.tables import OUTBOX

PLATFORM = "@platform"
"""Tenant of an item whose tenant is not known yet."""


class StoredCallback(BaseModel):
    """Data of a callback's item in the outbox: the text, relevant headers, and the time of receipt (ISO 8601)."""

    model_config = ConfigDict(frozen=True)

    received: str
    headers: dict[str, str]
    text: str


class UnprocessableError(LoggableError):
    """A callback can't be processed, and a retry would not help. The message has the reason, and no content."""


async def callback_item(database: Database, record: Mapping[str, Any]) -> Item:
    """The outbox's item that SQS's `record` names. Raises UnprocessableError, Unavailable."""
    try:
        message = json.loads(record["body"])
        id = str(message.get("detail", message)["id"])
    except (ValueError, KeyError, TypeError, AttributeError):
        raise UnprocessableError("the message names no callback") from None
    item = await database.get(OUTBOX, {"id": id})
    if not item:
        raise UnprocessableError("the callback is no longer kept")
    return item


def log_failed_callback(logger: Logger, record: Mapping[str, Any], error: Exception) -> None:
    """Log the reason at the first try only: the others fail for the same reason."""
    if record.get("attributes", {}).get("ApproximateReceiveCount", "1") == "1":
        logger.warning("a callback failed", extra={"message_id": record["messageId"], "reason": str(error)})
