"""`callmissed dlq`."""

import time
from typing import Annotated

import typer

from callmissed.clock import SECOND, iso
from cli.dead_letter_queues import (
    NAMES,
    UNDELIVERED,
    Letters,
    Redriven,
    message_row,
    open_letters,
    peek,
    redrive,
    sent_at,
)
from cli.errors import CommandError
from cli.output import Row
from cli.stage_command import Session, operation

_LOOKED_AT = 10
_LOOK_AGAIN_SECONDS = 2.0
QUEUES = {"queue": "queue", "messages": "messages", "oldest_at": "oldest", "age_seconds": "age in s", "source": "from"}
MESSAGES = {"id": "id", "sent_at": "sent", "receive_count": "received", "group": "group", "body": "body"}

dlq = typer.Typer(name="dlq", help="What could not be processed or delivered.", no_args_is_help=True)

QueueName = Annotated[str, typer.Argument(metavar="QUEUE", help="The queue as 'list' names it.")]


@operation(dlq, "list", of_tenant=False)
async def list_all(session: Session) -> None:
    """List the queues of dead letters, with how many messages each has and how old the oldest is."""
    sqs = session.sqs()
    found = [letters for name in NAMES if (letters := open_letters(sqs, session.stage, name))]
    if not found:
        raise CommandError(f"The stage '{session.stage}' has no queues of dead letters.")
    session.output.rows([_queue_row(letters, session.clock()) for letters in found], QUEUES)


@operation(dlq, "show", of_tenant=False)
async def show(
    session: Session,
    *,
    queue: QueueName,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many at most.")] = 10,
) -> None:
    """Show messages, and leave them where they are."""
    messages = peek(_letters(session, queue), limit)
    session.output.rows([message_row(message) for message in messages], MESSAGES)


@operation(dlq, "redrive", of_tenant=False)
async def redrive_queue(
    session: Session,
    *,
    queue: QueueName,
    limit: Annotated[int | None, typer.Option(min=1, help="How many at most.", show_default="all")] = None,
    id: Annotated[list[str] | None, typer.Option("--id", help="This message only; may be repeated.")] = None,
) -> None:
    """Move messages back into the queue from which they came."""
    letters, ids = _letters(session, queue), frozenset(id or ())
    if letters.source is None and queue != UNDELIVERED:
        raise CommandError(f"'{queue}' keeps failures of a function, which came from no queue: see docs/operations.md.")
    by_sqs = session.settings.aws_endpoint is None and letters.source and limit is None and not ids
    result = _move_all(session, letters) if by_sqs else _move(session, letters, limit, ids)
    if result.homeless:
        session.output.warn(f"{result.homeless} messages stay: they were meant for no queue.")
    if missing := len(ids) - result.moved - result.homeless:
        session.output.warn(f"{missing} of the messages were not found, or another command looks at them.")
    session.output.record({"queue": queue, "moved": result.moved, "left": letters.depth()})


def _letters(session: Session, queue: str) -> Letters:
    letters = open_letters(session.sqs(), session.stage, queue)
    if letters is None:
        raise CommandError(f"The stage '{session.stage}' has no queue '{queue}'.")
    return letters


def _queue_row(letters: Letters, now: int) -> Row:
    """The oldest is the oldest of ten: SQS tells no more."""
    depth = letters.depth()
    oldest = min(map(sent_at, peek(letters, min(depth, _LOOKED_AT))), default=None)
    return {
        "queue": letters.name,
        "messages": depth,
        "oldest_at": iso(oldest) if oldest else None,
        "age_seconds": max(0, now - oldest) // SECOND if oldest else None,
        "source": letters.source,
    }


def _move(session: Session, letters: Letters, limit: int | None, ids: frozenset[str]) -> Redriven:
    total = len(ids) or limit or letters.depth()
    with session.output.progress("Moving", total) as progress:
        return redrive(letters, limit=limit, ids=ids, progress=progress)


def _move_all(session: Session, letters: Letters) -> Redriven:
    """Let SQS move everything by itself, and look on. Raises CommandError when it gives up.

    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_StartMessageMoveTask.html
    """
    total, arn = letters.depth(), letters.arn
    if not total:
        return Redriven()
    letters.sqs.start_message_move_task(SourceArn=arn)
    with session.output.progress("Moving", total) as progress:
        while True:
            task = letters.sqs.list_message_move_tasks(SourceArn=arn, MaxResults=1)["Results"][0]
            moved = task.get("ApproximateNumberOfMessagesMoved", 0)
            progress(moved)
            if task.get("Status") == "COMPLETED":
                return Redriven(moved)
            if task.get("Status") in ("FAILED", "CANCELLED"):
                raise CommandError(f"SQS stopped after {moved} messages: {task.get('FailureReason', 'cancelled')}")
            time.sleep(_LOOK_AGAIN_SECONDS)
