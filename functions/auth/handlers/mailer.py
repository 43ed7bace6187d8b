"""The function `mailer`: sends the mails of the queue."""

from functools import cache
from pathlib import Path
from typing import Any

from callmissed.aws.batches import Failures, Received, each_message
from callmissed.aws.runtime import logs_failures, run
from callmissed.aws.secrets import sealing_ring
from callmissed.observability import get_logger
from callmissed.sealing import Sealer
from callmissed.settings import from_environment
from functions.auth.mail.jobs import parse
from functions.auth.mail.senders import MailSender, OutboxSender
from functions.auth.mail.templates import render

_logger = get_logger("mailer")


class Mailer:
    """Sends the mails of jobs."""

    def __init__(self, sender: MailSender, sealer: Sealer) -> None:
        self._sender = sender
        self._sealer = sealer

    async def process(self, received: Received) -> None:
        """Send one mail. Exceptions propagate so that SQS redelivers the job."""
        job = parse(received.body, self._sealer)
        await self._sender.send(render(job.name, job.to, job.parameters))


@logs_failures("mailer")
def handler(event: dict[str, Any], _context: object) -> Failures:
    """Send a batch of mails in parallel."""
    return run(each_message(event, _mailer().process, _logger))


@cache
def _mailer() -> Mailer:
    settings = from_environment()
    return Mailer(OutboxSender(Path(settings.mail_outbox)), Sealer(sealing_ring(settings)))
