"""Mails leave by SMTP to a server of this process, by SES to moto, and into the local outbox."""

import json
import smtplib
import ssl
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import pytest
import trustme
from botocore.exceptions import ClientError

from callmissed.aws.secrets import account_environment
from callmissed.settings import CoreSettings
from functions.auth.mail.senders import (
    MailNotConfigured,
    OutboxSender,
    RecipientRefused,
    SesSender,
    SmtpSender,
    mail_sender,
)
from functions.auth.mail.templates import Mail
from tests.support.smtp_server import smtp_server

MAIL = Mail("ada@example.com", "Your code is 481516", "Héllo\n\nyour code is 481516\n", "<p>Héllo</p>")
FROM = "no-reply@example.com"
AUTHORITY = trustme.CA()


@pytest.fixture
def server_tls() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    AUTHORITY.issue_cert("localhost", "127.0.0.1").configure_cert(context)
    return context


@pytest.fixture
def client_tls() -> ssl.SSLContext:
    context = ssl.create_default_context()
    AUTHORITY.configure_trust(context)
    return context


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
async def test_mail_goes_out_encrypted_and_with_the_password(
    server_tls: ssl.SSLContext, client_tls: ssl.SSLContext, scheme: str
) -> None:
    async with smtp_server(tls=server_tls, implicit=scheme == "smtps", password="secret") as server:
        url = f"{scheme}://user%40example.com@localhost:{server.port}"
        await SmtpSender(url, "secret", FROM, client_tls).send(MAIL)

    [message] = server.mails
    assert server.encrypted == [True]
    assert (message["From"], message["To"], message["Subject"]) == (f"CallMissed <{FROM}>", MAIL.to, MAIL.subject)
    assert (message["Auto-Submitted"], message["Message-ID"].endswith("@example.com>")) == ("auto-generated", True)
    text, html = (message.get_body((kind,)) for kind in ("plain", "html"))
    assert text and html
    found = [part.get_content().replace("\r\n", "\n").strip() for part in (text, html)]
    assert found == [MAIL.text.strip(), MAIL.html]


async def test_server_without_encryption_gets_nothing(client_tls: ssl.SSLContext) -> None:
    async with smtp_server() as server:
        with pytest.raises(smtplib.SMTPNotSupportedError):
            await SmtpSender(f"smtp://localhost:{server.port}", "", FROM, client_tls).send(MAIL)
    assert server.mails == []


async def test_server_with_another_certificate_gets_nothing(server_tls: ssl.SSLContext) -> None:
    stranger = ssl.create_default_context()
    async with smtp_server(tls=server_tls) as server:
        with pytest.raises(ssl.SSLCertVerificationError):
            await SmtpSender(f"smtp://localhost:{server.port}", "", FROM, stranger).send(MAIL)
    assert server.mails == []


@pytest.mark.parametrize(("code", "error"), [(550, RecipientRefused), (450, smtplib.SMTPRecipientsRefused)])
async def test_address_without_a_mailbox_is_refused_for_good_and_a_full_one_is_not(
    code: int, error: type[Exception]
) -> None:
    async with smtp_server(refuses=code) as server:
        with pytest.raises(error):
            await SmtpSender(f"smtp://127.0.0.1:{server.port}", "", FROM).send(MAIL)


async def test_ses_sends_from_the_verified_identity(aws_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "local")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "local")
    settings = CoreSettings(region="us-east-1", aws_endpoint=aws_endpoint, mail_transport="ses", mail_from=FROM)
    sender = mail_sender(settings)
    assert isinstance(sender, SesSender)
    ses: Any = boto3.client("ses", region_name="us-east-1", endpoint_url=aws_endpoint)  # pyright: ignore  no typed package
    with pytest.raises(ClientError, match="MessageRejected"):
        await sender.send(MAIL)
    ses.verify_domain_identity(Domain="example.com")
    before = ses.get_send_quota()["SentLast24Hours"]

    await sender.send(MAIL)

    assert ses.get_send_quota()["SentLast24Hours"] == before + 1


async def test_local_mails_are_in_the_outbox_and_in_the_terminal(tmp_path: Path) -> None:
    shown: list[str] = []
    await OutboxSender(tmp_path / "outbox", shown.append).send(MAIL)

    [kept] = (tmp_path / "outbox").glob("*.json")
    assert json.loads(kept.read_text()) == {
        "to": MAIL.to,
        "subject": MAIL.subject,
        "text": MAIL.text,
        "html": MAIL.html,
    }
    assert [line[10:] for line in shown] == ["mail to ada@example.com: Your code is 481516\n"]


def test_stage_chooses_its_way_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    account_environment.cache_clear()
    settings = CoreSettings(mail_from=FROM, smtp_url="smtps://mail.example.com", mail_outbox=str(tmp_path))
    found = [type(mail_sender(replace(settings, mail_transport=name))) for name in ("local", "ses", "smtp")]
    assert found == [OutboxSender, SesSender, SmtpSender]


@pytest.mark.parametrize(
    "wrong",
    [
        CoreSettings(),
        CoreSettings(mail_transport="ses"),
        CoreSettings(mail_transport="smtp", mail_from=FROM),
        CoreSettings(mail_transport="smtp", mail_from=FROM, smtp_url="https://mail.example.com"),
        CoreSettings(mail_transport="pigeon", mail_from=FROM),
    ],
)
def test_stage_without_a_way_out_says_so(wrong: CoreSettings) -> None:
    with pytest.raises(MailNotConfigured):
        mail_sender(wrong)
