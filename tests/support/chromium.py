"""A headless Chromium with a virtual authenticator, driven over the DevTools protocol's pipe.

https://chromedevtools.github.io/devtools-protocol/tot/WebAuthn/
"""

import json
import os
import select
import shutil
import signal
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.local_stack import GUARD_SECONDS

_OPTIONS = (
    "--headless=new",
    "--no-sandbox",  # a container's user is root
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--no-first-run",
    "--remote-debugging-pipe",
)
_AUTHENTICATOR = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


class Page:
    """A page of Chromium."""

    def __init__(self, requests: int, answers: int) -> None:
        self._requests = requests
        self._answers = answers
        self._unread = b""
        self._sent = 0
        self._session = ""

    def open(self, url: str) -> None:
        """Show `url`, in a new tab that has a virtual authenticator."""
        target = self.command("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.command("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.command("WebAuthn.enable")
        self.command("WebAuthn.addVirtualAuthenticator", options=_AUTHENTICATOR)
        self.command("Page.enable")
        self.command("Page.navigate", url=url)
        self._until("Page.loadEventFired")

    def run(self, function: str, *values: Any) -> Any:
        """What the asynchronous JavaScript `function` returns for `values`. Raises AssertionError if it throws."""
        expression = f"({function})({', '.join(map(json.dumps, values))})"
        answer = self.command(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True, userGesture=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def command(self, method: str, **parameters: Any) -> dict[str, Any]:
        """The answer of one command. Raises AssertionError for an error."""
        self._sent += 1
        session = {"sessionId": self._session} if self._session else {}
        message = {"id": self._sent, "method": method, "params": parameters, **session}
        os.write(self._requests, json.dumps(message).encode() + b"\0")
        while (answer := self._read()).get("id") != self._sent:
            pass
        assert "error" not in answer, answer
        return answer["result"]

    def _until(self, event: str) -> None:
        while self._read().get("method") != event:
            pass

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self._unread:
            ready, _, _ = select.select([self._answers], [], [], GUARD_SECONDS)
            received = os.read(self._answers, 65536) if ready else b""
            assert received, "Chromium has ended, or does not answer"
            self._unread += received
        message, _, self._unread = self._unread.partition(b"\0")
        return json.loads(message)


@contextmanager
def chromium(profile: Path) -> Generator[Page]:
    """A running Chromium, with its data in `profile`. Fails where there is none."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    assert program, "Chromium is not installed: apt-get install chromium"
    theirs_in, ours_out = os.pipe()
    ours_in, theirs_out = os.pipe()
    command = [program, *_OPTIONS, f"--user-data-dir={profile}"]
    process = _spawn(command, {3: theirs_in, 4: theirs_out}, profile)
    os.close(theirs_in)
    os.close(theirs_out)
    try:
        yield Page(ours_out, ours_in)
    finally:
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
        os.close(ours_out)
        os.close(ours_in)


def _spawn(command: list[str], descriptors: dict[int, int], profile: Path) -> int:
    """Start `command` with the descriptors of ours under the numbers that Chromium reads and writes."""
    output = (os.POSIX_SPAWN_OPEN, 2, str(profile / "output.txt"), os.O_CREAT | os.O_WRONLY, 0o600)
    passed = [(os.POSIX_SPAWN_DUP2, ours, theirs) for theirs, ours in descriptors.items()]
    return os.posix_spawn(command[0], command, os.environ, file_actions=[output, *passed])
