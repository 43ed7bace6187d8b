"""Dead-letter queues: messages that a consumer or a function failed, and events that were never delivered."""

import json
from collections.abc import Callable, Collection, Generator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from callmissed.clock import Micros, iso
from callmissed.platform.functions import FUNCTIONS
from callmissed.platform.queues import QUEUES, UNDELIVERED, Queue, physical_queue_name
from cli.errors import CommandError
from cli.output import Row

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient
    from types_boto3_sqs.type_defs import MessageTypeDef

_HIDDEN_SECONDS = 60
_BATCH = 10
_SOURCES = {queue.dead_letters: queue for queue in QUEUES}
NAMES = (*_SOURCES, *(function.failures for function in FUNCTIONS), UNDELIVERED)
"""Every dead-letter queue that a stage may have."""


@dataclass(frozen=True, slots=True)
class DeadLetterQueue:
    """One dead-letter queue of a stage. `name` is as declared."""

    sqs: "SQSClient"
    stage: str
    name: str
    url: str

    @property
    def source(self) -> str | None:
        """Name of the queue from which all messages come, if it is one queue."""
        queue = _SOURCES.get(self.name)
        return queue.name if queue else None

    @property
    def may_hold_others(self) -> bool:
        """Whether events may be in it whose type the bus puts into another queue by now."""
        queue = _SOURCES.get(self.name)
        return queue is not None and any(rule.detail_types for rule in queue.rules)

    @property
    def arn(self) -> str:
        """ARN of the queue."""
        return self._attributes()["QueueArn"]

    def depth(self) -> int:
        """Approximate number of messages, hidden ones included."""
        attributes = self._attributes()
        return sum(int(attributes[name]) for name in attributes if name.startswith("ApproximateNumberOfMessages"))

    def destination(self, message: "MessageTypeDef") -> str | None:
        """Name of the queue from which `message` came, or which takes its events now; None for one from no queue.

        The bus names the target that it could not reach: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html
        """
        if source := _SOURCES.get(self.name):
            return _present_queue(source, message.get("Body", "")).name
        attributes: dict[str, Any] = {**message.get("MessageAttributes", {})}
        target = str(attributes.get("TARGET_ARN", {}).get("StringValue", "")).rpartition(":")[2]
        return next((queue.name for queue in QUEUES if physical_queue_name(self.stage, queue.name) == target), None)

    def _attributes(self) -> dict[Any, str]:
        return self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=["All"])["Attributes"]


@dataclass(slots=True)
class RedriveResult:
    """Numbers of messages: `moved`, and left there because they are `without_source`."""

    moved: int = 0
    without_source: int = 0


def find_dead_letter_queue(sqs: "SQSClient", stage: str, name: str) -> DeadLetterQueue | None:
    """The dead-letter queue `name`; None when the stage has none. Raises CommandError for an unknown name."""
    if name not in NAMES:
        raise CommandError(f"There is no queue of dead letters '{name}'. There are: {', '.join(NAMES)}.")
    try:
        return DeadLetterQueue(sqs, stage, name, _url(sqs, stage, name))
    except sqs.exceptions.QueueDoesNotExist:
        return None


def peek(queue: DeadLetterQueue, limit: int) -> "list[MessageTypeDef]":
    """Up to `limit` messages, which stay in the queue; their receive counts rise by one."""
    with _hidden_messages(queue, limit) as (messages, _):
        return list(messages)


def redrive(
    queue: DeadLetterQueue, *, limit: int | None, ids: Collection[str], progress: Callable[[int], None]
) -> RedriveResult:
    """Move messages back, at most `limit`, or those of `ids` only. Raises botocore's errors.

    A message is sent before it is deleted: a message may arrive twice when this process ends in between, but is never
    lost. No more messages are received than there were at the start, so that one that fails again is not moved twice.
    """
    result, max_messages = RedriveResult(), limit if limit and not ids else queue.depth()
    with _hidden_messages(queue, max_messages) as (messages, remove):
        for message in messages:
            if ids and message.get("MessageId") not in ids:
                continue
            if (destination := queue.destination(message)) is None:
                result.without_source += 1
                continue
            _send(queue, destination, message)
            remove(message)
            result.moved += 1
            progress(result.moved)
            if result.moved == (limit or len(ids)):
                break
    return result


def message_row(message: "MessageTypeDef") -> Row:
    """The row of a message."""
    system: dict[Any, str] = message.get("Attributes", {})
    attributes = message.get("MessageAttributes", {})
    return {
        "id": message.get("MessageId"),
        "sent_at": iso(Micros(sent_at(message))),
        "receive_count": int(system.get("ApproximateReceiveCount", 0)),
        "group": system.get("MessageGroupId"),
        "attributes": {name: value.get("StringValue") for name, value in attributes.items()},
        "body": message.get("Body"),
    }


def sent_at(message: "MessageTypeDef") -> int:
    """Time at which the message was first sent to a queue, in epoch microseconds."""
    return int(message.get("Attributes", {}).get("SentTimestamp", 0)) * 1000


def _present_queue(source: Queue, body: str) -> Queue:
    """The queue into which the bus puts the event in `body` now; `source` for what is no event, or of no queue."""
    try:
        event = json.loads(body)
        of_bus, kind = str(event["source"]), str(event["detail-type"])
    except (ValueError, KeyError, TypeError):
        return source
    return next((queue for queue in (source, *QUEUES) if queue.takes(of_bus, kind)), source)


@contextmanager
def _hidden_messages(
    queue: DeadLetterQueue, max_messages: int
) -> "Generator[tuple[Iterator[MessageTypeDef], Callable[[MessageTypeDef], None]]]":
    """Messages, hidden from other consumers during the block, and a function that removes one; the rest reappears.

    A message that can't be shown again, because this process dies or SQS refuses, reappears after a minute.
    """
    hidden: dict[str, str] = {}

    def remove(message: "MessageTypeDef") -> None:
        id = message.get("MessageId", "")
        queue.sqs.delete_message(QueueUrl=queue.url, ReceiptHandle=hidden[id])
        del hidden[id]

    try:
        yield _receive(queue, max_messages, hidden), remove
    finally:
        for handle in hidden.values():
            with suppress(ClientError):
                queue.sqs.change_message_visibility(QueueUrl=queue.url, ReceiptHandle=handle, VisibilityTimeout=0)


def _receive(queue: DeadLetterQueue, max_messages: int, hidden: dict[str, str]) -> "Iterator[MessageTypeDef]":
    """Up to `max_messages`; fewer when SQS finds no more, or returns one again because its minute is over."""
    count = 0
    while count < max_messages:
        answer = queue.sqs.receive_message(
            QueueUrl=queue.url,
            MaxNumberOfMessages=min(_BATCH, max_messages - count),
            VisibilityTimeout=_HIDDEN_SECONDS,
            WaitTimeSeconds=1,  # queries all of SQS's servers; a short poll may miss messages
            AttributeNames=["All"],
            MessageAttributeNames=["All"],
        )
        fresh = [message for message in answer.get("Messages", []) if message.get("MessageId") not in hidden]
        if not fresh:
            return
        hidden.update((message.get("MessageId", ""), message.get("ReceiptHandle", "")) for message in fresh)
        yield from fresh
        count += len(fresh)


def _send(queue: DeadLetterQueue, destination: str, message: "MessageTypeDef") -> None:
    group = message.get("Attributes", {}).get("MessageGroupId")
    more: dict[str, Any] = {"MessageGroupId": group} if group else {}
    queue.sqs.send_message(
        QueueUrl=_url(queue.sqs, queue.stage, destination),
        MessageBody=message.get("Body", ""),
        MessageAttributes=message.get("MessageAttributes", {}),
        **more,
    )


def _url(sqs: "SQSClient", stage: str, name: str) -> str:
    return sqs.get_queue_url(QueueName=physical_queue_name(stage, name))["QueueUrl"]
