"""Ways out for mails: Amazon SES, an SMTP server, or a folder and the terminal of the local stack."""

import asyncio
import json
import secrets
import smtplib
import ssl
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import asdict
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate, make_msgid
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import SplitResult, unquote, urlsplit

from callmissed.aws.secrets import account_environment
from callmissed.observability import LoggableError
from callmissed.settings import CoreSettings
from functions.auth.mail.templates import Mail

if TYPE_CHECKING:
    from callmissed.aws.clients import SesClient

SENDER_NAME = "CallMissed"
SMTP_PASSWORD = "SMTP_PASSWORD"  # noqa: S105  the name of a variable

_TIMEOUT_SECONDS = 10
_PERMANENT = range(500, 600)
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class MailNotConfigured(LoggableError):
    """The stage has no way out for mails: the setting `mail_transport`."""


class RecipientRefused(LoggableError):
    """The address can't get mails; another try would fail too."""


class MailSender(Protocol):
    """Sends one mail."""

    async def send(self, mail: Mail) -> None:
        """Send `mail`. Raises RecipientRefused for good, and others so that the queue delivers the job again."""
        ...


class OutboxSender:
    """Keeps mails as JSON files in a folder, and prints their subjects; for the local stack."""

    def __init__(self, folder: Path, show: Callable[[str], object] = sys.stdout.write) -> None:
        self._folder = folder
        self._show = show

    async def send(self, mail: Mail) -> None:
        """Write the mail, under a name that sorts by time."""
        self._folder.mkdir(parents=True, exist_ok=True)
        name = f"{time.time_ns()}-{secrets.token_hex(4)}"
        hidden = self._folder / f".{name}"
        hidden.write_text(json.dumps(asdict(mail), indent=2))
        hidden.rename(self._folder / f"{name}.json")
        self._show(f"{time.strftime('%H:%M:%S')}  mail to {mail.to}: {mail.subject}\n")


class SesSender:
    """Sends through Amazon SES, from an address whose identity the stage's account has verified."""

    def __init__(self, settings: CoreSettings) -> None:
        self._settings = settings
        self._client: SesClient | None = None

    async def send(self, mail: Mail) -> None:
        """As `MailSender.send`."""
        await asyncio.to_thread(self._send, mail)

    def _send(self, mail: Mail) -> None:
        from callmissed.aws.clients import client  # boto3

        ses = self._client = self._client or client("sesv2", self._settings)
        body = {"Text": _utf8(mail.text), "Html": _utf8(mail.html)}
        try:
            ses.send_email(
                FromEmailAddress=f"{SENDER_NAME} <{self._settings.mail_from}>",
                Destination={"ToAddresses": [mail.to]},
                Content={"Simple": {"Subject": _utf8(mail.subject), "Body": body}},
            )
        except ses.exceptions.BadRequestException:
            raise RecipientRefused("SES refuses the address") from None


class SmtpSender:
    """Sends through the SMTP server of `url`.

    `smtps://` speaks TLS from the beginning, `smtp://` begins it with STARTTLS, without which nothing is sent, except
    to this machine. `tls` replaces the system's trust store, for tests.
    """

    def __init__(self, url: str, password: str, sender: str, tls: ssl.SSLContext | None = None) -> None:
        self._server = _smtp_server(url)
        self._password = password
        self._sender = sender
        self._tls = tls

    async def send(self, mail: Mail) -> None:
        """As `MailSender.send`."""
        await asyncio.to_thread(self._send, mail)

    def _send(self, mail: Mail) -> None:
        try:
            with self._connected() as connection:
                connection.send_message(mime_message(mail, self._sender))
        except smtplib.SMTPRecipientsRefused as refused:
            if all(code in _PERMANENT for code, _ in refused.recipients.values()):
                raise RecipientRefused("the mail server refuses the address") from None
            raise

    @contextmanager
    def _connected(self) -> Generator[smtplib.SMTP]:
        host, context = self._server.hostname or "", self._tls or ssl.create_default_context()
        if self._server.scheme == "smtps":
            opened = smtplib.SMTP_SSL(host, self._server.port or 465, timeout=_TIMEOUT_SECONDS, context=context)
        else:
            opened = smtplib.SMTP(host, self._server.port or 587, timeout=_TIMEOUT_SECONDS)
        with opened as connection:
            if self._server.scheme == "smtp" and (host not in _LOOPBACK or self._tls):
                connection.starttls(context=context)
            if self._server.username:
                connection.login(unquote(self._server.username), self._password)
            yield connection


def mail_sender(settings: CoreSettings) -> MailSender:
    """The way out that the stage has chosen. Raises MailNotConfigured."""
    if settings.mail_transport == "local":
        return OutboxSender(Path(settings.mail_outbox))
    if settings.mail_transport == "ses" and settings.mail_from:
        return SesSender(settings)
    if settings.mail_transport == "smtp" and settings.mail_from and settings.smtp_url:
        return SmtpSender(settings.smtp_url, account_environment(settings).get(SMTP_PASSWORD, ""), settings.mail_from)
    raise MailNotConfigured("set mail_transport and mail_from, and smtp_url for an SMTP server")


def mime_message(mail: Mail, sender: str) -> EmailMessage:
    """The mail in MIME: plain text, and the same as HTML."""
    message = EmailMessage(policy=SMTP)
    message["From"] = f"{SENDER_NAME} <{sender}>"
    message["To"] = mail.to
    message["Subject"] = mail.subject
    message["Date"] = formatdate()
    message["Message-ID"] = make_msgid(domain=sender.rpartition("@")[2])
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(mail.text)
    message.add_alternative(mail.html, subtype="html")
    return message


def _smtp_server(url: str) -> SplitResult:
    found = urlsplit(url)
    if found.scheme not in ("smtp", "smtps") or not found.hostname:
        raise MailNotConfigured("smtp_url is such as smtps://user@mail.example.com:465")
    return found


def _utf8(text: str) -> dict[str, str]:
    return {"Data": text, "Charset": "UTF-8"}
