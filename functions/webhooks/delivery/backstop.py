"""Messages that only hasten what is due anyway.

Whoever sends one has written an item with `due` before, so that a message that can't be sent, or is lost, costs time
and nothing else: the timer starts the work.
"""

from callmissed.aws.queues import Message, QueueUnavailable, Sending
from callmissed.clock import MINUTE
from callmissed.observability import get_logger

BACKSTOP = 2 * MINUTE
"""When the timer takes up what a message should have started, in microseconds from now."""

_logger = get_logger("webhooks")


async def hasten(queue: Sending, *messages: Message) -> None:
    """Send `messages`; those that can't be sent are left to the timer."""
    try:
        await queue.send(messages)
    except QueueUnavailable:
        _logger.warning("left to the timer", extra={"orders": [message.body["do"] for message in messages]})
