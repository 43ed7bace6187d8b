"""Mails: without them nobody can confirm an address, and SES sends only for identities that it has verified."""

from collections.abc import Iterator

from botocore.exceptions import ClientError

from callmissed.platform.functions import MAILER
from callmissed.settings import variable_of
from cli.checks.finding import CheckedStage, Finding, Severity, code_of, ok
from cli.checks.functions import live_configuration

_SUBJECT = "mails"


def check_mails(stage: CheckedStage) -> Iterator[Finding]:
    """Whether the deployed stage sends mails, and to everybody. Raises botocore's errors."""
    configuration = live_configuration(stage, MAILER)
    if configuration is None:
        return
    variables = configuration.get("Environment", {}).get("Variables", {})
    transport, sender = (variables.get(variable_of(name), "") for name in ("mail_transport", "mail_from"))
    if transport == "ses":
        yield from _check_ses(stage, sender)
    elif transport == "smtp":
        yield ok(_SUBJECT, f"leave by SMTP, from {sender}")
    else:
        text = "the stage sends none: nobody can confirm an address, or reset a password"
        remedy = f'Set "mail_transport" and "mail_from" in cdk.json, then {stage.deploy("workers")}'
        yield Finding(_SUBJECT, Severity.ADVICE, text, remedy)


def _check_ses(stage: CheckedStage, sender: str) -> Iterator[Finding]:
    identities = _identities(sender)
    states = {identity: _is_verified(stage, identity) for identity in identities}
    if not any(states.values()):
        yield _unverified(stage, sender, [name for name, is_verified in states.items() if is_verified is not None])
        return
    account = stage.clients("sesv2").get_account()
    if not account["SendingEnabled"]:
        text = f"SES has stopped sending for this account: {account.get('EnforcementStatus', 'SHUTDOWN')}"
        yield Finding(_SUBJECT, Severity.BLOCKS, text, "Answer AWS's mail about it in the Support Center.")
    elif not account["ProductionAccessEnabled"]:
        details = "--production-access-enabled --mail-type TRANSACTIONAL --website-url https://YOUR.SITE"
        remedy = f"aws sesv2 put-account-details {details} --region {stage.region}"
        yield Finding(_SUBJECT, Severity.ADVICE, "SES is in its sandbox: only verified addresses get any", remedy)
    else:
        yield ok(_SUBJECT, f"leave by SES, from {sender}")


def _identities(sender: str) -> list[str]:
    """What SES may have verified for an address: itself, its domain, or a domain above."""
    labels = sender.rpartition("@")[2].split(".")
    return [sender, *(".".join(labels[number:]) for number in range(len(labels) - 1))]


def _is_verified(stage: CheckedStage, identity: str) -> bool | None:
    """Whether SES sends for the identity; None where it does not know it."""
    try:
        return stage.clients("sesv2").get_email_identity(EmailIdentity=identity)["VerifiedForSendingStatus"]
    except ClientError as error:
        if code_of(error) != "NotFoundException":
            raise
        return None


def _unverified(stage: CheckedStage, sender: str, waiting: list[str]) -> Finding:
    if waiting:
        text = f"SES has not verified {waiting[0]}: publish the records that it asks for"
        remedy = f"aws sesv2 get-email-identity --email-identity {waiting[0]} --region {stage.region}"
    else:
        text, domain = f"SES does not know the sender {sender}", sender.rpartition("@")[2]
        remedy = f"aws sesv2 create-email-identity --email-identity {domain} --region {stage.region}"
    return Finding(_SUBJECT, Severity.BLOCKS, text, remedy)
