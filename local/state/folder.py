"""The state folder: the files of the database, the secrets, and the announcement that the stack answers.

<STATE>/callmissed-state   says that the folder is a local stack's (local.state.ownership)
<STATE>/dynamodb/          files of DynamoDB Local
<STATE>/logs/              output of the engines
<STATE>/outbox/            mails that would have been sent
<STATE>/secrets.json       pepper, sealing key, operator's secret, those of WhatsApp, tenant and API keys; kept across
                           restarts, readable by its owner only
<STATE>/dev.json           where the stack answers, and with which keys; exists only while it does
"""

import fcntl
import secrets
import shutil
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from pydantic import BaseModel, Field

from local.errors import LocalStackError
from local.fakes.cashfree.fake import APP_ID
from local.state.ownership import claim, readable_errors
from local.state.seed import SeededTenant


class WhatsAppSecrets(BaseModel):
    """Secrets of the stand-in's WhatsApp number: its access token, and what signs and verifies callbacks."""

    access_token: str = Field(default_factory=lambda: f"EAA{secrets.token_hex(24)}")
    app_secret: str = Field(default_factory=lambda: secrets.token_hex(16))
    verify_token: str = Field(default_factory=lambda: secrets.token_urlsafe(12))


class LocalSecrets(BaseModel):
    """Secrets that are kept across restarts, keys in hex; `account` is None until one is seeded.

    `operator_secret` signs operators' requests to this stack, in place of an operator's AWS credentials.
    `cashfree_secret` is that of the stand-in for the payment gateway.
    """

    pepper: str = Field(default_factory=lambda: secrets.token_hex(32))
    sealing_key: str = Field(default_factory=lambda: secrets.token_hex(32))
    operator_secret: str = Field(default_factory=lambda: secrets.token_hex(32))
    whatsapp: WhatsAppSecrets = Field(default_factory=WhatsAppSecrets)
    cashfree_secret: str = Field(default_factory=lambda: f"cfsk_{secrets.token_hex(24)}")
    account: SeededTenant | None = None

    @property
    def variables(self) -> dict[str, str]:
        """The environment variables that hold them, in place of those that name a secret of AWS."""
        return {
            "CALLMISSED_PEPPERS": self.pepper,
            "CALLMISSED_SEALING_KEYS": self.sealing_key,
            "CASHFREE_APP_ID": APP_ID,
            "CASHFREE_SECRET_KEY": self.cashfree_secret,
        }


class Announcement(BaseModel):
    """The content of `dev.json`. At `localhost_url` passkeys work, which need a name instead of an address.

    `whatsapp` has the ids of the stand-in's account and number, and the number's secrets.
    """

    base_url: str
    localhost_url: str = ""
    live_key: str
    test_key: str
    tenant_id: str
    owner_email: str | None = None
    owner_password: str | None = None
    endpoints: dict[str, str]
    whatsapp: dict[str, str] | None = None


class StateFolder:
    """The files of one state folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.dynamodb = folder / "dynamodb"
        self.logs = folder / "logs"
        self.outbox = folder / "outbox"
        self.announcement = folder / "dev.json"
        self._secrets = folder / "secrets.json"

    def secrets(self) -> LocalSecrets:
        """The secrets; missing ones are created and stored. Raises `LocalStackError` when the file is damaged."""
        with readable_errors(self.folder):
            return self._read_secrets()

    def _read_secrets(self) -> LocalSecrets:
        try:
            found = LocalSecrets.model_validate_json(self._secrets.read_bytes())
        except FileNotFoundError:
            found = LocalSecrets()
        except ValueError:
            raise LocalStackError(f"{self._secrets} is damaged; start afresh with: make dev ARGS=--reset") from None
        if not found.model_fields_set >= {"pepper", "sealing_key", "operator_secret", "whatsapp", "cashfree_secret"}:
            self.store_secrets(found)
        return found

    def store_secrets(self, secrets: LocalSecrets) -> None:
        """Store `secrets` for the next start."""
        _write(self._secrets, secrets)

    def announce(self, announcement: Announcement) -> None:
        """Write the announcement: the stack answers."""
        _write(self.announcement, announcement)

    def withdraw(self) -> None:
        """Remove the announcement: the stack does not answer."""
        self.announcement.unlink(missing_ok=True)

    def clear(self) -> None:
        """Remove the data and the secrets of a folder that `open_state` has opened, which is never a foreign one."""
        shutil.rmtree(self.dynamodb, ignore_errors=True)
        self._secrets.unlink(missing_ok=True)


@contextmanager
def open_state(folder: Path) -> Generator[StateFolder]:
    """The state in `folder`, which belongs to this process until the block ends.

    Raises `LocalStackError` for a folder that is in use, is not the stack's own, or can't be made.
    """
    claim(folder)
    state = StateFolder(folder)
    with readable_errors(folder):
        state.logs.mkdir(exist_ok=True)
        lock = (folder / "lock").open("w")
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LocalStackError(
                f"The state folder {folder} is in use by another stack; choose another STATE."
            ) from None
        with readable_errors(folder):
            state.withdraw()
        with _withdrawn_at_death(state):
            yield state


@contextmanager
def _withdrawn_at_death(state: StateFolder) -> Generator[None]:
    """Remove the announcement at the end of the block, or, by a shell, when this process is killed."""
    script = 'read -r _; rm -f "$1"'
    command = ["/bin/sh", "-c", script, "withdraw", str(state.announcement.resolve())]
    with subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True):  # noqa: S603
        try:
            yield
        finally:
            state.withdraw()


def _write(path: Path, content: BaseModel) -> None:
    """Replace `path` atomically; only its owner can read it."""
    draft = path.with_suffix(".draft")
    draft.unlink(missing_ok=True)
    draft.touch(mode=0o600)
    draft.write_text(content.model_dump_json(indent=2) + "\n")
    draft.replace(path)
