"""Sending to SQS. A message is a JSON object of a few hundred bytes; large things stay in DynamoDB."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any, Protocol

from callmissed.observability import LoggableError, failure_name
from callmissed.platform.queues import Queue, physical_queue_name
from callmissed.settings import CoreSettings

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient
    from types_boto3_sqs.type_defs import SendMessageBatchRequestEntryTypeDef

MAX_DELAY_SECONDS = 900
"""The maximum delay of a new SQS message."""

_BATCH = 10


@dataclass(frozen=True, slots=True)
class Message:
    """One message. `group` is the tenant: SQS's fair queues are fair between groups. The delay is at most 900 s."""

    body: dict[str, Any]
    group: str
    delay_seconds: int = 0


class Sending(Protocol):
    """Sends messages to one queue."""

    async def send(self, messages: Sequence[Message]) -> None:
        """Put all `messages` into the queue. Raises QueueUnavailable; some messages may have arrived in that case."""
        ...


class QueueUnavailable(LoggableError):
    """SQS did not take a message; those before it may be in the queue."""


class SqsQueue:
    """Sends to one declared queue. boto3 is imported with the first message."""

    def __init__(self, settings: CoreSettings, queue: Queue) -> None:
        self._settings = settings
        self._url = f"{settings.queue_base.rstrip('/')}/{physical_queue_name(settings.stage, queue.name)}"
        self._client: SQSClient | None = None
        self._making = Lock()

    async def send(self, messages: Sequence[Message]) -> None:
        """As `Sending.send`: in batches of ten, one after the other."""
        for start in range(0, len(messages), _BATCH):
            await asyncio.to_thread(self._send, messages[start : start + _BATCH])

    def _send(self, batch: Sequence[Message]) -> None:
        from botocore.exceptions import BotoCoreError, ClientError

        entries = [_entry(number, message) for number, message in enumerate(batch)]
        try:
            answer = self._sqs().send_message_batch(QueueUrl=self._url, Entries=entries)
        except (BotoCoreError, ClientError, RuntimeError) as error:  # that of credentials that stay expired
            raise QueueUnavailable(failure_name(error)) from error
        if failed := answer.get("Failed"):
            raise QueueUnavailable(f"{len(failed)} messages were refused: {failed[0]['Code']}")

    def _sqs(self) -> "SQSClient":
        with self._making:  # clients are thread-safe, but making one is not
            if self._client is None:
                from callmissed.aws.clients import client

                self._client = client("sqs", self._settings)
            return self._client


def _entry(number: int, message: Message) -> "SendMessageBatchRequestEntryTypeDef":
    return {
        "Id": str(number),
        "MessageBody": json.dumps(message.body, separators=(",", ":")),
        "MessageGroupId": message.group,
        "DelaySeconds": message.delay_seconds,
    }
