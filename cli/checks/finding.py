"""What a check says, and how it reaches AWS."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from botocore.exceptions import ClientError

from cli.output import Row

_DENIED = ("AccessDenied", "AccessDeniedException", "AuthorizationError", "UnauthorizedOperation")

Clients = Callable[[str], Any]
"""A client of an AWS service, by the service's name, in the stage's region."""


class Severity(StrEnum):
    """How much a finding matters."""

    OK = "ok"
    ADVICE = "advice"
    BLOCKS = "blocks"
    """Calls fail, or will."""


@dataclass(frozen=True, slots=True)
class CheckedStage:
    """The stage to check."""

    name: str
    region: str
    clients: Clients

    def named(self, part: str) -> str:
        """The physical name of `part`."""
        return f"callmissed-{self.name}-{part}"

    def deploy(self, stack: str) -> str:
        """The command that deploys `stack`."""
        return f"npx cdk deploy {stack} -c stage={self.name}"


@dataclass(frozen=True, slots=True)
class Finding:
    """Result of one check of `subject`; `remedy` is a command, or what to do where there is no command."""

    subject: str
    severity: Severity
    text: str
    remedy: str = ""

    @property
    def row(self) -> Row:
        """The finding as the command line shows it."""
        return {"subject": self.subject, "status": str(self.severity), "finding": self.text, "remedy": self.remedy}


def ok(subject: str, text: str) -> Finding:
    """Nothing to do."""
    return Finding(subject, Severity.OK, text)


def code_of(error: ClientError) -> str:
    """AWS's code of an error."""
    return error.response.get("Error", {}).get("Code", "")


def is_denied(error: ClientError) -> bool:
    """Whether the operator's credentials lack the right to the call."""
    return code_of(error) in _DENIED


def unseen(subject: str, error: ClientError) -> Finding:
    """What to say of `subject` after a call that was denied."""
    text = f"can't be checked: your credentials may not call {error.operation_name}"
    return Finding(subject, Severity.ADVICE, text, "Use credentials of an operator.")
