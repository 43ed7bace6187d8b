"""`callmissed dlq`."""

import time
from typing import Annotated

import typer

from callmissed.clock import SECOND, Micros, iso
from callmissed.platform.queues import UNDELIVERED
from cli.context import CommandContext
from cli.dead_letter_queues import (
    NAMES,
    DeadLetterQueue,
    RedriveResult,
    find_dead_letter_queue,
    message_row,
    peek,
    redrive,
    sent_at,
)
from cli.errors import CommandError
from cli.groups import command_group
from cli.output import Row
from cli.stage_command import stage_command

_SAMPLE = 10
_POLL_SECONDS = 2.0
QUEUES = {"queue": "queue", "messages": "messages", "oldest_at": "oldest", "age_seconds": "age in s", "source": "from"}
MESSAGES = {"id": "id", "body": "body", "sent_at": "sent", "receive_count": "received", "group": "group"}

dlq = command_group("dlq")

QueueName = Annotated[str, typer.Argument(metavar="QUEUE", help="The queue as 'list' names it.")]


@stage_command(dlq, "list", of_tenant=False)
async def list_all(context: CommandContext) -> None:
    """List the queues of dead letters, with how many messages each has and how old the oldest is."""
    sqs = context.sqs()
    found = [queue for name in NAMES if (queue := find_dead_letter_queue(sqs, context.stage, name))]
    if not found:
        raise CommandError(f"The stage '{context.stage}' has no queues of dead letters.")
    context.output.rows([_queue_row(queue, context.clock()) for queue in found], QUEUES)


@stage_command(dlq, "show", of_tenant=False)
async def show(
    context: CommandContext,
    *,
    queue: QueueName,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many at most.")] = 10,
) -> None:
    """Show messages, and leave them where they are."""
    messages = peek(_dead_letter_queue(context, queue), limit)
    context.output.rows([message_row(message) for message in messages], MESSAGES)


@stage_command(dlq, "redrive", of_tenant=False)
async def redrive_queue(
    context: CommandContext,
    *,
    queue: QueueName,
    limit: Annotated[int | None, typer.Option(min=1, help="How many at most.", show_default="all")] = None,
    id: Annotated[list[str] | None, typer.Option("--id", help="This message only; may be repeated.")] = None,
) -> None:
    """Move messages back into the queue from which they came, or into that which takes their events now."""
    dead_letters, ids = _dead_letter_queue(context, queue), frozenset(id or ())
    if dead_letters.source is None and queue != UNDELIVERED:
        raise CommandError(f"'{queue}' keeps failures of a function, which came from no queue: see docs/operations.md.")
    is_whole = dead_letters.source and not dead_letters.may_hold_others and limit is None and not ids
    by_sqs = context.settings.aws_endpoint is None and is_whole
    result = _move_all(context, dead_letters) if by_sqs else _move(context, dead_letters, limit, ids)
    if result.without_source:
        context.output.warn(f"{result.without_source} messages stay: they were meant for no queue.")
    if missing := len(ids) - result.moved - result.without_source:
        context.output.warn(f"{missing} of the messages were not found, or another command is reading them.")
    context.output.record({"queue": queue, "moved": result.moved, "left": dead_letters.depth()})


def _dead_letter_queue(context: CommandContext, name: str) -> DeadLetterQueue:
    queue = find_dead_letter_queue(context.sqs(), context.stage, name)
    if queue is None:
        raise CommandError(f"The stage '{context.stage}' has no queue '{name}'.")
    return queue


def _queue_row(queue: DeadLetterQueue, now: int) -> Row:
    """The oldest message is the oldest of ten, because SQS returns no more at once."""
    depth = queue.depth()
    oldest = min(map(sent_at, peek(queue, min(depth, _SAMPLE))), default=None)
    return {
        "queue": queue.name,
        "messages": depth,
        "oldest_at": iso(Micros(oldest)) if oldest else None,
        "age_seconds": max(0, now - oldest) // SECOND if oldest else None,
        "source": queue.source,
    }


def _move(context: CommandContext, queue: DeadLetterQueue, limit: int | None, ids: frozenset[str]) -> RedriveResult:
    total = len(ids) or limit or queue.depth()
    with context.output.progress("Moving", total) as progress:
        return redrive(queue, limit=limit, ids=ids, progress=progress)


def _move_all(context: CommandContext, queue: DeadLetterQueue) -> RedriveResult:
    """Let SQS move all messages, and show the progress. Raises CommandError when SQS stops before the end.

    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_StartMessageMoveTask.html
    """
    total, arn = queue.depth(), queue.arn
    if not total:
        return RedriveResult()
    queue.sqs.start_message_move_task(SourceArn=arn)
    with context.output.progress("Moving", total) as progress:
        while True:
            task = queue.sqs.list_message_move_tasks(SourceArn=arn, MaxResults=1)["Results"][0]
            moved = task.get("ApproximateNumberOfMessagesMoved", 0)
            progress(moved)
            if task.get("Status") == "COMPLETED":
                return RedriveResult(moved)
            if task.get("Status") in ("FAILED", "CANCELLED"):
                raise CommandError(f"SQS stopped after {moved} messages: {task.get('FailureReason', 'cancelled')}")
            time.sleep(_POLL_SECONDS)
