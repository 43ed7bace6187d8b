"""Best-effort enqueue. The due index is the source of truth, so a lost message only delays work.

Before a job is sent, an item with `due` is written: the scheduler enqueues the job again.
"""

from callmissed.aws.queues import Message, QueueUnavailable, Sending
from callmissed.clock import MINUTE
from callmissed.observability import get_logger

SAFETY_DELAY = 2 * MINUTE
"""Time, in microseconds, after which the scheduler enqueues a job that was not processed."""

_logger = get_logger("webhooks")


async def enqueue_best_effort(queue: Sending, *messages: Message) -> None:
    """Send `messages`; the scheduler enqueues those that can't be sent."""
    try:
        await queue.send(messages)
    except QueueUnavailable:
        _logger.warning("left to the scheduler", extra={"jobs": [message.body["do"] for message in messages]})
