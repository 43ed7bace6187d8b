"""The desk's folder: the database's files, the desk's secrets, and the announcement that the stack answers.

<STATE>/dynamodb/      files of DynamoDB Local
<STATE>/logs/          output of the engines
<STATE>/secrets.json   pepper, sealing key, tenant and keys of the desk; kept across restarts, for its owner's eyes only
<STATE>/dev.json       where the stack answers, and with which keys; exists only while it does
"""

import fcntl
import secrets
import shutil
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from pydantic import BaseModel, Field

from local.errors import DeskError
from local.state.seed import Account


class Secrets(BaseModel):
    """What the desk must remember. Pepper and sealing key are hex; there is no account until one was seeded."""

    pepper: str = Field(default_factory=lambda: secrets.token_hex(32))
    sealing_key: str = Field(default_factory=lambda: secrets.token_hex(32))
    account: Account | None = None


class Announcement(BaseModel):
    """What `dev.json` says. There are no users yet, hence no owner to sign in as."""

    base_url: str
    live_key: str
    test_key: str
    tenant_id: str
    owner_email: str | None = None
    owner_password: str | None = None
    endpoints: dict[str, str]


class State:
    """The files of one state folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.dynamodb = folder / "dynamodb"
        self.logs = folder / "logs"
        self.announcement = folder / "dev.json"
        self._secrets = folder / "secrets.json"

    def secrets(self) -> Secrets:
        """The desk's secrets; what is missing is made. Raises `DeskError` when the file is not what we wrote."""
        try:
            found = Secrets.model_validate_json(self._secrets.read_bytes())
        except FileNotFoundError:
            found = Secrets()
        except ValueError:
            raise DeskError(f"{self._secrets} is damaged; start afresh with: make dev ARGS=--reset") from None
        if found.model_fields_set < {"pepper", "sealing_key"}:
            self.keep(found)
        return found

    def keep(self, secrets: Secrets) -> None:
        """Remember `secrets` for the next start."""
        _write(self._secrets, secrets)

    def announce(self, announcement: Announcement) -> None:
        """Say that the stack answers."""
        _write(self.announcement, announcement)

    def withdraw(self) -> None:
        """Say that it does not, or no longer."""
        self.announcement.unlink(missing_ok=True)

    def forget(self) -> None:
        """Remove the data and the secrets."""
        shutil.rmtree(self.dynamodb, ignore_errors=True)
        self._secrets.unlink(missing_ok=True)


@contextmanager
def opened(folder: Path) -> Generator[State]:
    """The state in `folder`, which belongs to this process until the block ends. Raises `DeskError` when in use."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    (folder / ".gitignore").write_text("*\n")
    state = State(folder)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DeskError(f"The state folder {folder} is in use by another stack; choose another STATE.") from None
        state.withdraw()
        with _withdrawn_at_death(state):
            yield state


@contextmanager
def _withdrawn_at_death(state: State) -> Generator[None]:
    """Take the announcement away at the end of the block, or when this process is killed: then a shell does it."""
    script = 'read -r _; rm -f "$1"'
    command = ["/bin/sh", "-c", script, "withdraw", str(state.announcement.resolve())]
    with subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True):  # noqa: S603
        try:
            yield
        finally:
            state.withdraw()


def _write(path: Path, content: BaseModel) -> None:
    """Replace `path` at once, so that nobody reads half of it; only its owner can read it at all."""
    draft = path.with_suffix(".draft")
    draft.unlink(missing_ok=True)
    draft.touch(mode=0o600)
    draft.write_text(content.model_dump_json(indent=2) + "\n")
    draft.replace(path)
