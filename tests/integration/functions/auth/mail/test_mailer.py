"""The mailer: jobs of the queue, jobs that send nothing, and a disabled webhook that its owner learns of."""

from callmissed.aws.batches import Received
from callmissed.clock import system_clock
from callmissed.events.outbox import Event, new_event, publish
from callmissed.events.types import WebhookDisabled
from callmissed.rate_limits import SlidingWindows
from callmissed.sealing import Sealer
from functions.auth.handlers.mailer import Mailer
from functions.auth.mail.event_mails import EventMails
from functions.auth.mail.jobs import MailJob, nothing
from functions.auth.mail.quota import MAX_MAILS, MailQuota
from functions.auth.mail.senders import RecipientRefused
from functions.auth.mail.templates import Mail
from tests.support.people import new_tenant
from tests.support.sign_in import SignInPages, new_address

SEALER = Sealer((b"k" * 32,))


class KeptMails:
    """Keeps mails, or refuses their addresses."""

    def __init__(self, *, refuses: bool = False) -> None:
        self.mails: list[Mail] = []
        self.refused: list[str] = []
        self._refuses = refuses

    async def send(self, mail: Mail) -> None:
        if self._refuses:
            self.refused.append(mail.to)
            raise RecipientRefused("no such mailbox")
        self.mails.append(mail)


def mailer_of(pages: SignInPages, kept: KeptMails) -> Mailer:
    events = EventMails(pages.database, MailQuota(SlidingWindows(pages.database)), pages.clock)
    return Mailer(kept, SEALER, events, "https://console.example.com")


async def test_job_is_sent_with_links_to_the_console(pages: SignInPages) -> None:
    kept, job = KeptMails(), MailJob("session_replay", "ada@example.com", {"full_name": "Ada"})

    await mailer_of(pages, kept).process(Received(job.message(SEALER).body, redelivered=False))

    assert [mail.to for mail in kept.mails] == ["ada@example.com"]
    assert "https://console.example.com/sign-in" in kept.mails[0].text


async def test_job_of_nothing_sends_nothing(pages: SignInPages) -> None:
    kept = KeptMails()
    await mailer_of(pages, kept).process(Received(nothing("ada@example.com").message(SEALER).body, redelivered=False))
    assert kept.mails == []


async def test_address_that_gets_no_mail_is_done_with(pages: SignInPages) -> None:
    job = MailJob("register_again", new_address())
    body = job.message(SEALER).body
    refusing = KeptMails(refuses=True)

    await mailer_of(pages, refusing).process(Received(body, redelivered=False))

    assert refusing.refused == [job.to]


async def test_owner_learns_of_a_disabled_webhook_and_of_so_many_in_an_hour(pages: SignInPages) -> None:
    owner, kept = await new_tenant(pages.product), KeptMails()
    mailer = mailer_of(pages, kept)
    for number in range(MAX_MAILS + 2):
        await mailer.process(Received(on_the_bus(await disabled(pages, owner.tenant, number)), redelivered=False))

    assert [mail.to for mail in kept.mails] == [owner.user.email] * MAX_MAILS
    assert "https://example.com/hooks/0" in kept.mails[0].text
    assert "410" in kept.mails[0].text


async def test_tenant_without_people_gets_no_mail(pages: SignInPages) -> None:
    kept = KeptMails()
    event = await disabled(pages, "tnt_without", 1)
    await mailer_of(pages, kept).process(Received(on_the_bus(event), redelivered=False))
    assert kept.mails == []


async def disabled(pages: SignInPages, tenant: str, number: int) -> Event:
    example = {**WebhookDisabled.example, "url": f"https://example.com/hooks/{number}", "reason": "gone"}
    event = new_event(tenant, WebhookDisabled.model_validate(example), system_clock())
    await publish(pages.database, event)
    return event


def on_the_bus(event: Event) -> dict[str, object]:
    """The event as EventBridge writes it into a queue."""
    detail = {"id": event.id, "tenant": event.tenant, "type": event.type, "created": event.created}
    return {"version": "0", "source": event.source, "detail-type": event.type, "detail": detail}
