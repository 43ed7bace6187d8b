"""Mails leave through a queue, outside the time of an answer."""

from collections.abc import Sequence

from callmissed.aws.queues import QueueUnavailable, Sending
from callmissed.observability import get_logger
from callmissed.sealing import Sealer
from functions.auth.mail.jobs import MailJob

_logger = get_logger("mails")


class MailOutlet:
    """Queues mails with their parameters sealed."""

    def __init__(self, queue: Sending, sealer: Sealer) -> None:
        self._queue = queue
        self._sealer = sealer

    async def send(self, *jobs: MailJob) -> None:
        """Queue the mails. Raises QueueUnavailable."""
        await self._queue.send([job.message(self._sealer) for job in jobs])

    async def report(self, jobs: Sequence[MailJob]) -> None:
        """Queue mails that report what is done already, and can't be undone because a queue does not answer."""
        try:
            await self.send(*jobs)
        except QueueUnavailable as failure:
            _logger.error("mails were not queued", extra={"why": str(failure), "templates": [job.name for job in jobs]})
