"""The function `mailer`: sends the mails of the queue, and those that events of the bus cause."""

from functools import cache
from typing import Any

from callmissed.aws.batches import Failures, Received, each_message
from callmissed.aws.database import Database
from callmissed.aws.runtime import logs_failures, run
from callmissed.aws.secrets import sealing_ring
from callmissed.clock import system_clock
from callmissed.observability import get_logger
from callmissed.rate_limits import SlidingWindows
from callmissed.sealing import Sealer
from callmissed.settings import from_environment
from functions.auth.mail.event_mails import EventMails
from functions.auth.mail.jobs import NOTHING, parse
from functions.auth.mail.quota import MailQuota
from functions.auth.mail.senders import MailSender, RecipientRefused, mail_sender
from functions.auth.mail.templates import render

_logger = get_logger("mailer")


class Mailer:
    """Sends the mails of jobs and of `events`, with links to the console at `console_url`."""

    def __init__(self, sender: MailSender, sealer: Sealer, events: EventMails, console_url: str) -> None:
        self._sender = sender
        self._sealer = sealer
        self._events = events
        self._console_url = console_url

    async def process(self, received: Received) -> None:
        """Send one mail. Exceptions propagate so that SQS redelivers the job, except for an address that gets none."""
        body = received.body
        job = await self._events.mail_of(body["detail"]) if "detail" in body else parse(body, self._sealer)
        if job is None or job.name == NOTHING:
            return
        try:
            await self._sender.send(render(job.name, job.to, job.parameters, self._console_url))
        except RecipientRefused as refused:
            _logger.warning("a mail can't be delivered", extra={"template": job.name, "why": str(refused)})


@logs_failures("mailer")
def handler(event: dict[str, Any], _context: object) -> Failures:
    """Send a batch of mails in parallel."""
    return run(each_message(event, _mailer().process, _logger))


@cache
def _mailer() -> Mailer:
    settings = from_environment()
    database = Database.connect(settings)
    events = EventMails(database, MailQuota(SlidingWindows(database)), system_clock)
    return Mailer(mail_sender(settings), Sealer(sealing_ring(settings)), events, settings.console_url)
