"""Sending to SQS. A message is a JSON object of a few hundred bytes; large things stay in DynamoDB."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any, Protocol

from callmissed.platform.queues import Queue, physical_queue_name
from callmissed.settings import CoreSettings

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient
    from types_boto3_sqs.type_defs import SendMessageBatchRequestEntryTypeDef

MAX_DELAY_SECONDS = 900
"""The longest time for which SQS hides a new message."""

_BATCH = 10


@dataclass(frozen=True, slots=True)
class Message:
    """One message. `group` is the tenant, between whom SQS's fair queues are fair; the delay is at most 900 seconds."""

    body: dict[str, Any]
    group: str
    delay_seconds: int = 0


class Sending(Protocol):
    """Where messages go."""

    async def send(self, messages: Sequence[Message]) -> None:
        """Put all `messages` into the queue. Raises QueueUnavailable; some may have arrived then."""
        ...


class QueueUnavailable(Exception):
    """SQS did not take a message; those before it may be in the queue."""


class SqsQueue:
    """Sends to one declared queue. boto3 comes with the first message, not with the import."""

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
        except (BotoCoreError, ClientError) as error:
            raise QueueUnavailable(str(error)) from error
        if failed := answer.get("Failed"):
            raise QueueUnavailable(f"{len(failed)} messages were refused: {failed[0]['Code']}")

    def _sqs(self) -> "SQSClient":
        with self._making:  # a client may be used by any number of threads, but not made by two at a time
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
