"""Dead letters: what a consumer failed too often, what a function failed, and what was never delivered."""

from collections.abc import Callable, Collection, Generator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from callmissed.clock import iso
from callmissed.platform.functions import FUNCTIONS
from callmissed.platform.queues import QUEUES, physical_queue_name
from cli.errors import CommandError
from cli.output import Row

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient
    from types_boto3_sqs.type_defs import MessageTypeDef

UNDELIVERED = "undelivered"
_HELD_SECONDS = 60
_BATCH = 10
_SOURCES = {queue.dead_letters: queue.name for queue in QUEUES}
NAMES = (*_SOURCES, *(f"{function.name}-failures" for function in FUNCTIONS), UNDELIVERED)
"""Every queue of dead letters that a stage may have."""


@dataclass(frozen=True, slots=True)
class Letters:
    """One queue of dead letters of a stage. `name` is as declared, `url` where SQS has it."""

    sqs: "SQSClient"
    stage: str
    name: str
    url: str

    @property
    def source(self) -> str | None:
        """Name of the queue from which they all come, if it is one queue."""
        return _SOURCES.get(self.name)

    @property
    def arn(self) -> str:
        """The queue's name for all of AWS."""
        return self._attributes()["QueueArn"]

    def depth(self) -> int:
        """How many there are, about, those included that somebody has received and not put back."""
        attributes = self._attributes()
        return sum(int(attributes[name]) for name in attributes if name.startswith("ApproximateNumberOfMessages"))

    def destination(self, message: "MessageTypeDef") -> str | None:
        """Name of the queue to which `message` belongs; None when it came from no queue.

        The bus names the target that it could not reach: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html
        """
        if self.source:
            return self.source
        attributes: dict[str, Any] = {**message.get("MessageAttributes", {})}
        target = str(attributes.get("TARGET_ARN", {}).get("StringValue", "")).rpartition(":")[2]
        return next((queue.name for queue in QUEUES if physical_queue_name(self.stage, queue.name) == target), None)

    def _attributes(self) -> dict[Any, str]:
        return self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=["All"])["Attributes"]


@dataclass(slots=True)
class Redriven:
    """What became of a redrive: `moved` back, `homeless` because they came from no queue."""

    moved: int = 0
    homeless: int = 0


def open_letters(sqs: "SQSClient", stage: str, name: str) -> Letters | None:
    """The queue `name` of dead letters; None when the stage has none. Raises CommandError for an unknown name."""
    if name not in NAMES:
        raise CommandError(f"There is no queue of dead letters '{name}'. There are: {', '.join(NAMES)}.")
    try:
        return Letters(sqs, stage, name, _url(sqs, stage, name))
    except sqs.exceptions.QueueDoesNotExist:
        return None


def peek(letters: Letters, limit: int) -> "list[MessageTypeDef]":
    """Up to `limit` messages, which stay; their receive counts rise by one."""
    with _held(letters, limit) as (messages, _):
        return list(messages)


def redrive(letters: Letters, *, limit: int | None, ids: Collection[str], progress: Callable[[int], None]) -> Redriven:
    """Move messages back, at most `limit`, or those of `ids` only. Raises botocore's errors.

    A message is sent before it is deleted, so that one may come twice when this ends in between, but never get lost.
    It looks at no more messages than there were at its begin: what comes back meanwhile waits for the next time.
    """
    result, most = Redriven(), limit if limit and not ids else letters.depth()
    with _held(letters, most) as (messages, remove):
        for message in messages:
            if ids and message.get("MessageId") not in ids:
                continue
            if (destination := letters.destination(message)) is None:
                result.homeless += 1
                continue
            _send(letters, destination, message)
            remove(message)
            result.moved += 1
            progress(result.moved)
            if result.moved == (limit or len(ids)):
                break
    return result


def message_row(message: "MessageTypeDef") -> Row:
    """A message as it is shown."""
    system: dict[Any, str] = message.get("Attributes", {})
    attributes = message.get("MessageAttributes", {})
    return {
        "id": message.get("MessageId"),
        "sent_at": iso(sent_at(message)),
        "receive_count": int(system.get("ApproximateReceiveCount", 0)),
        "group": system.get("MessageGroupId"),
        "attributes": {name: value.get("StringValue") for name, value in attributes.items()},
        "body": message.get("Body"),
    }


def sent_at(message: "MessageTypeDef") -> int:
    """When the message first went into a queue, in epoch microseconds."""
    return int(message.get("Attributes", {}).get("SentTimestamp", 0)) * 1000


@contextmanager
def _held(
    letters: Letters, most: int
) -> "Generator[tuple[Iterator[MessageTypeDef], Callable[[MessageTypeDef], None]]]":
    """Messages, hidden from others while the block lasts, and how to remove one; the others are put back at its end.

    What can't be put back, because this process dies or SQS refuses, comes back by itself after a minute.
    """
    hidden: dict[str, str] = {}

    def remove(message: "MessageTypeDef") -> None:
        id = message.get("MessageId", "")
        letters.sqs.delete_message(QueueUrl=letters.url, ReceiptHandle=hidden[id])
        del hidden[id]

    try:
        yield _receive(letters, most, hidden), remove
    finally:
        for handle in hidden.values():
            with suppress(ClientError):
                letters.sqs.change_message_visibility(QueueUrl=letters.url, ReceiptHandle=handle, VisibilityTimeout=0)


def _receive(letters: Letters, most: int, hidden: dict[str, str]) -> "Iterator[MessageTypeDef]":
    """Up to `most` messages; fewer when SQS finds no more, or shows one a second time because its minute is over."""
    count = 0
    while count < most:
        answer = letters.sqs.receive_message(
            QueueUrl=letters.url,
            MaxNumberOfMessages=min(_BATCH, most - count),
            VisibilityTimeout=_HELD_SECONDS,
            WaitTimeSeconds=1,  # asks all of SQS's servers; a short poll may miss messages
            AttributeNames=["All"],
            MessageAttributeNames=["All"],
        )
        fresh = [message for message in answer.get("Messages", []) if message.get("MessageId") not in hidden]
        if not fresh:
            return
        hidden.update((message.get("MessageId", ""), message.get("ReceiptHandle", "")) for message in fresh)
        yield from fresh
        count += len(fresh)


def _send(letters: Letters, destination: str, message: "MessageTypeDef") -> None:
    group = message.get("Attributes", {}).get("MessageGroupId")
    more: dict[str, Any] = {"MessageGroupId": group} if group else {}
    letters.sqs.send_message(
        QueueUrl=_url(letters.sqs, letters.stage, destination),
        MessageBody=message.get("Body", ""),
        MessageAttributes=message.get("MessageAttributes", {}),
        **more,
    )


def _url(sqs: "SQSClient", stage: str, name: str) -> str:
    return sqs.get_queue_url(QueueName=physical_queue_name(stage, name))["QueueUrl"]
