"""All checks of a stage, in the order in which an operator would mend what they find."""

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import boto3
from botocore.exceptions import ClientError

from cli.checks.alarms import check_alarms
from cli.checks.concurrency import check_concurrency
from cli.checks.contents import check_callback_secrets, check_payment_secrets, check_provider_keys, check_rings
from cli.checks.finding import CheckedStage, Clients, Finding, is_denied, unseen
from cli.checks.functions import check_functions
from cli.checks.mails import check_mails

Check = Callable[[CheckedStage], Iterator[Finding]]

_CHECKS: tuple[Check, ...] = (
    check_concurrency,
    check_functions,
    check_rings,
    check_provider_keys,
    check_callback_secrets,
    check_payment_secrets,
    check_mails,
    check_alarms,
)


def check_stage(name: str, region: str, clients: Clients | None = None) -> list[Finding]:
    """Everything that there is to say of the stage. Raises botocore's errors, except for what is denied."""
    stage = CheckedStage(name, region, clients or connect(region))
    return [finding for check in _CHECKS for finding in _checked(check, stage)]


def _checked(check: Check, stage: CheckedStage) -> Iterator[Finding]:
    """What the check finds, up to a call that is denied."""
    try:
        yield from check(stage)
    except ClientError as error:
        if not is_denied(error):
            raise
        yield unseen(check.__name__.removeprefix("check_").replace("_", " "), error)


def connect(region: str) -> Clients:
    """Clients of AWS, with the credentials of the environment or profile."""

    @cache
    def client(service: str) -> Any:
        return boto3.client(service, region_name=region)  # pyright: ignore

    return client
