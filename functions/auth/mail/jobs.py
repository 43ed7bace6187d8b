"""Jobs of the queue `mails`: which template goes to which address. Parameters may be secrets, so they are sealed.

    {"template": name, "to": address, "sealed": parameters as sealed JSON}

A job may be delivered twice: a person then gets the mail twice. The template `nothing` sends nothing: it is queued
where there is nobody to write to, so that a request takes as long as one that sends a mail.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from callmissed.aws.queues import Message
from callmissed.sealing import Sealer

NOTHING = "nothing"
_AS_LONG_AS_OTHERS = {"code": "000000", "full_name": "-" * 12}


@dataclass(frozen=True, slots=True)
class MailJob:
    """One mail to send. `parameters` are those of the template `name`."""

    name: str
    to: str
    parameters: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def message(self, sealer: Sealer) -> Message:
        """The job as the queue carries it."""
        sealed = sealer.seal(json.dumps(dict(self.parameters)))
        return Message({"template": self.name, "to": self.to, "sealed": sealed}, group="mails")


def nothing(to: str) -> MailJob:
    """The job that sends nothing to an address."""
    return MailJob(NOTHING, to, _AS_LONG_AS_OTHERS)


def parse(body: Mapping[str, Any], sealer: Sealer) -> MailJob:
    """The job in a message's body. Raises UnsealError."""
    return MailJob(body["template"], body["to"], json.loads(sealer.unseal(body["sealed"])))
