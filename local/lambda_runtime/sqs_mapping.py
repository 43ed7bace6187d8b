"""The event source mapping of a queue."""

import logging
import threading
from typing import TYPE_CHECKING

from callmissed.platform.queues import Queue
from local.aws.services import StageServices
from local.lambda_runtime.events import failed_items, sqs_event
from local.lambda_runtime.functions import Invoker

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient
    from types_boto3_sqs.type_defs import MessageTypeDef

_logger = logging.getLogger("callmissed.local")
_LONG_POLL_SECONDS = 20


class SqsMapping:
    """Calls a queue's consumer with batches of messages, and deletes the messages that succeeded.

    A message that failed stays until its visibility timeout ends, and is then received again; the queue itself moves a
    message to the dead-letter queue after its last try. `visibility_seconds` and `tries` are the queue's own. A queue's
    batches are processed one after the other, or as many at the same time as the queue says.
    """

    def __init__(self, sqs: "SQSClient", services: StageServices, queue: Queue, functions: Invoker) -> None:
        self.name = queue.name
        self._sqs = sqs
        self._queue = queue
        self._url = services.queue_url(queue.name)
        self._arn = services.queue_arn(queue.name)
        self._functions = functions
        self._free = threading.Semaphore(queue.at_once)

    def poll(self) -> None:
        """Wait up to 20 seconds for messages. Moto returns new ones at once, and looks for delayed ones each second.

        Raises botocore's ClientError and BotoCoreError.
        """
        with self._free:
            messages = self._receive()
        if not messages:
            return
        if self._queue.at_once == 1:
            self._process(messages)
        else:  # a daemon, as the poll's own thread: a batch must not hold up the end of the stack
            threading.Thread(target=self._process, args=(messages,), name=f"batch of {self.name}", daemon=True).start()

    def _receive(self) -> "list[MessageTypeDef]":
        answer = self._sqs.receive_message(
            QueueUrl=self._url,
            MaxNumberOfMessages=self._queue.batch,
            WaitTimeSeconds=_LONG_POLL_SECONDS,
            MessageSystemAttributeNames=["All"],
        )
        return answer.get("Messages", [])

    def _process(self, messages: "list[MessageTypeDef]") -> None:
        with self._free:
            self._delete(messages, self._failed(messages))

    def _failed(self, messages: "list[MessageTypeDef]") -> set[str]:
        identifiers = [str(message.get("MessageId")) for message in messages]
        try:
            answer = self._functions.invoke_and_wait(self._queue.consumer, sqs_event(self._arn, messages))
        except Exception:
            _logger.exception("%s failed a batch of %s", self._queue.consumer, self.name)
            return set(identifiers)
        return failed_items(answer, identifiers)

    def _delete(self, messages: "list[MessageTypeDef]", failed: set[str]) -> None:
        done = [message for message in messages if message.get("MessageId") not in failed]
        entries = [
            {"Id": str(number), "ReceiptHandle": str(message.get("ReceiptHandle"))}
            for number, message in enumerate(done)
        ]
        if entries:
            self._sqs.delete_message_batch(QueueUrl=self._url, Entries=entries)  # pyright: ignore[reportArgumentType]
