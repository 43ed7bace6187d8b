"""All checks of a stage, in the order in which an operator would mend what they find."""

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import boto3
from botocore.exceptions import ClientError

from cli.checks.alarms import check_alarms
from cli.checks.concurrency import check_concurrency
from cli.checks.contents import check_callback_secrets, check_provider_keys, check_rings
from cli.checks.finding import CheckedStage, Clients, Finding, Severity, code_of
from cli.checks.functions import check_functions

Check = Callable[[CheckedStage], Iterator[Finding]]

_CHECKS: tuple[Check, ...] = (
    check_concurrency,
    check_functions,
    check_rings,
    check_provider_keys,
    check_callback_secrets,
    check_alarms,
)
_DENIED = ("AccessDenied", "AccessDeniedException", "AuthorizationError", "UnauthorizedOperation")


def check_stage(name: str, region: str, clients: Clients | None = None) -> list[Finding]:
    """Everything that there is to say of the stage. Raises botocore's errors, except for what is denied."""
    stage = CheckedStage(name, region, clients or connect(region))
    return [finding for check in _CHECKS for finding in _checked(check, stage)]


def _checked(check: Check, stage: CheckedStage) -> list[Finding]:
    subject = check.__name__.removeprefix("check_").replace("_", " ")
    try:
        return list(check(stage))
    except ClientError as error:
        if code_of(error) not in _DENIED:
            raise
        text = f"can't be checked: your credentials may not call {error.operation_name}"
        return [Finding(subject, Severity.ADVICE, text, "Use credentials of an operator.")]


def connect(region: str) -> Clients:
    """Clients of AWS, with the credentials of the environment or profile."""

    @cache
    def client(service: str) -> Any:
        return boto3.client(service, region_name=region)  # pyright: ignore

    return client
