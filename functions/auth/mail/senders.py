"""Ways out for mails. The local one keeps mails in a folder and shows them in the terminal."""

import json
import secrets
import time
from dataclasses import asdict
from pathlib import Path
from typing import Protocol

from functions.auth.mail.templates import Mail


class MailSender(Protocol):
    """Sends one mail."""

    async def send(self, mail: Mail) -> None:
        """Send `mail`. Raises an exception when it was not accepted, so that the queue delivers the job again."""
        ...


class OutboxSender:
    """Keeps mails as JSON files in a folder; for the local stack."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def send(self, mail: Mail) -> None:
        """Write the mail, under a name that sorts by time."""
        self._folder.mkdir(parents=True, exist_ok=True)
        name = f"{time.time_ns()}-{secrets.token_hex(4)}"
        hidden = self._folder / f".{name}"
        hidden.write_text(json.dumps(asdict(mail), indent=2))
        hidden.rename(self._folder / f"{name}.json")
