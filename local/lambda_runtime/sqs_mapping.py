"""Where functions get their work from without being asked: queues, as Lambda's event source mappings read them.

Each source has a thread that takes turns until the desk ends. A turn that fails is logged and tried again.
"""

import logging
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from callmissed.platform.queues import Queue
from local.aws.services import Services
from local.lambda_runtime.events import failed_items, sqs_event
from local.lambda_runtime.functions import Functions

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient
    from types_boto3_sqs.type_defs import MessageTypeDef

_logger = logging.getLogger("callmissed.local")
_PAUSE_SECONDS = 1.0
_LONG_POLL_SECONDS = 20


class Source(Protocol):
    """Something that feeds one function."""

    @property
    def name(self) -> str:
        """What is read, for the log."""
        ...

    def turn(self) -> None:
        """Wait for work for a while, and have what came done. Anything may be raised."""
        ...


class Feeds:
    """The threads of `sources`, from `start` until `stop`."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self._sources = sources
        self._stopped = threading.Event()

    def start(self) -> None:
        """Begin to take turns."""
        for source in self._sources:
            threading.Thread(target=self._work, args=(source,), name=f"feed {source.name}", daemon=True).start()

    def stop(self) -> None:
        """Begin no more turns. Threads that wait for work end with the process: engines can't be told to hang up."""
        self._stopped.set()

    def _work(self, source: Source) -> None:
        while not self._stopped.is_set():
            try:
                source.turn()
            except Exception:
                if not self._stopped.wait(_PAUSE_SECONDS):
                    _logger.exception("reading %s failed", source.name)


class QueueSource:
    """Gives a queue's messages to its consumer, in batches, and deletes those that were worked off.

    What the consumer fails stays until its visibility timeout ends, and comes again; the queue itself moves it to the
    dead letters after its last try. `visibility_seconds` and `tries` are the queue's own.
    """

    def __init__(self, sqs: "SQSClient", services: Services, queue: Queue, functions: Functions) -> None:
        self.name = queue.name
        self._sqs = sqs
        self._queue = queue
        self._url = services.queue_url(queue.name)
        self._arn = services.queue_arn(queue.name)
        self._functions = functions

    def turn(self) -> None:
        """Wait up to 20 seconds for messages. Moto wakes the waiting at once, and looks for delayed ones each second.

        Raises botocore's ClientError and BotoCoreError.
        """
        answer = self._sqs.receive_message(
            QueueUrl=self._url,
            MaxNumberOfMessages=self._queue.batch,
            WaitTimeSeconds=_LONG_POLL_SECONDS,
            MessageSystemAttributeNames=["All"],
        )
        if messages := answer.get("Messages"):
            self._delete(messages, self._failed(messages))

    def _failed(self, messages: "list[MessageTypeDef]") -> set[str]:
        identifiers = [str(message.get("MessageId")) for message in messages]
        try:
            answer = self._functions.wait(self._queue.consumer, sqs_event(self._arn, messages))
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
