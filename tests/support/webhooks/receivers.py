"""The receivers of docs/webhooks as servers, and the official libraries: verifiers of signed requests."""

import http.client
import json
import os
import queue
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from standardwebhooks import Webhook
from standardwebhooks.webhooks import WebhookVerificationError

from local.paths import ROOT

GUARD_SECONDS = 60
BUILD_SECONDS = 600
SOURCES = ROOT / "docs" / "webhooks"
GUIDE = (ROOT / "docs" / "webhooks.md").read_text()
SECRET = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
GO = Path(sys.executable).with_name("go")

Verifier = Callable[[Mapping[str, str], bytes], bool]
"""Whether a request with these headers and body is accepted by one who knows `SECRET`."""


class Receiver:
    """A running receiver: a Verifier that also returns which events it handled."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        self.url = self._next().removeprefix("listening on ").strip()

    def __call__(self, headers: Mapping[str, str], body: bytes) -> bool:
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=GUARD_SECONDS)
        try:
            connection.request("POST", "/hooks", body, dict(headers))
            status = connection.getresponse().status
        finally:
            connection.close()
        assert status in (204, 400)
        return status == 204

    def handled_until(self, marker: str) -> list[str]:
        """What it printed since the last call until the event that mentions `marker`."""
        lines = [self._next()]
        while marker not in lines[-1]:
            lines.append(self._next())
        return lines

    def _next(self) -> str:
        return self._lines.get(timeout=GUARD_SECONDS)

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line)


@contextmanager
def receiver(command: Sequence[str | Path], errors: Path, secret: str = SECRET) -> Generator[Receiver]:
    """The receiver that `command` starts with the secret, on a free port, until the block ends."""
    with (
        errors.open("w") as sink,
        subprocess.Popen(
            command, env=_environment(secret), stdout=subprocess.PIPE, stderr=sink, text=True, encoding="utf-8"
        ) as process,
    ):
        try:
            yield Receiver(process)
        finally:
            process.kill()


def run_receiver(
    command: Sequence[str | Path], secret: str | None, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Outcome of a receiver that starts with this secret, or none, and ends by itself."""
    environment = _environment(secret or "") | variables
    if secret is None:
        del environment["CALLMISSED_WEBHOOK_SECRET"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=GUARD_SECONDS, check=False)


def _environment(secret: str) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "PORT": "0", "CALLMISSED_WEBHOOK_SECRET": secret}


def python_receiver(*snippets: str) -> str:
    """The source of receive.py with parts of the guide put in, the last definition of a name counting."""
    body, start = (SOURCES / "receive.py").read_text().split('if __name__ == "__main__":')
    return "\n\n".join([body, *snippets, f'if __name__ == "__main__":{start}'])


def node_receiver_that_verifies_simply() -> str:
    """The source of receive.mjs with the guide's check of `X-CallMissed-Signature` in place of its own."""
    source = (SOURCES / "receive.mjs").read_text()
    assert "!verified(" in source
    return source.replace("!verified(", "!verifiedSimply(") + guide_snippet("js", "verifiedSimply")


def guide_snippet(language: str, word: str) -> str:
    """The one block of the guide in `language` that says `word`."""
    blocks = re.findall(rf"^```{language}\n(.*?)^```$", GUIDE, re.DOTALL | re.MULTILINE)
    (block,) = [text for text in blocks if word in text]
    return block


def build_go(folder: Path) -> Path:
    """The compiled receive.go, made with nothing from the network. What it is made of stays in the checkout.

    Without optimisations, which take a third of the time.
    """
    program = folder / "receive"
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "GOCACHE": str(ROOT / ".build" / "go"),
        "GOPATH": str(folder / "path"),
        "GOENV": "off",
        "GOFLAGS": "",
        "GOPROXY": "off",
        "GOTOOLCHAIN": "local",
        "CGO_ENABLED": "0",
    }
    command = [GO, "build", "-gcflags=all=-N -l", "-ldflags=-s -w", "-o", program, SOURCES / "receive.go"]
    done = subprocess.run(
        command, env=environment, cwd=folder, capture_output=True, text=True, timeout=BUILD_SECONDS, check=False
    )
    assert done.returncode == 0, done.stderr
    return program


def pypi(headers: Mapping[str, str], body: bytes) -> bool:
    """The verdict of the official Python library."""
    try:
        Webhook(SECRET).verify(body, dict(headers))
    except WebhookVerificationError:
        return False
    return True


def npm(headers: Mapping[str, str], body: bytes) -> bool:
    """The verdict of the official JavaScript library."""
    request = json.dumps({"secret": SECRET, "headers": dict(headers), "body": body.decode()})
    script = Path(__file__).with_name("verify.mjs")
    done = subprocess.run(
        ["node", script], input=request, cwd=ROOT, capture_output=True, text=True, timeout=GUARD_SECONDS, check=True
    )
    return json.loads(done.stdout)
