"""`python -m local` as a child of the tests, and what it announces."""

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from local.paths import ROOT

GUARD_SECONDS = 90


@dataclass(frozen=True)
class LocalStack:
    """A running `python -m local` with its state folder and output."""

    process: subprocess.Popen[bytes]
    state: Path
    output: Path

    @property
    def announcement(self) -> dict[str, Any]:
        return json.loads((self.state / "dev.json").read_text())

    def post(self, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        return self._ask("POST", path, json.dumps(body).encode(), {"Content-Type": "application/json"} | headers)

    def get(self, path: str, **headers: str) -> tuple[int, Any]:
        return self._ask("GET", path, None, headers)

    def _ask(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> tuple[int, Any]:
        announcement = self.announcement
        headers = {"Authorization": f"Bearer {announcement['live_key']}"} | headers
        request = urllib.request.Request(announcement["base_url"] + path, body, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=GUARD_SECONDS) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def family(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)


def launch(state: Path, output: Path, *options: str, env: Mapping[str, str] | None = None) -> LocalStack:
    """Start a local stack on a free port unless `options` name one."""
    command = [sys.executable, "-m", "local", "--data", str(state), *(options or ("--port", "0"))]
    with output.open("wb") as sink:
        process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **(env or {})}, stdout=sink, stderr=sink)
    return LocalStack(process, state, output)


@contextmanager
def running(state: Path, output: Path, env: Mapping[str, str] | None = None) -> Generator[LocalStack]:
    """A local stack that answers; killed at the end if the test has not stopped it."""
    local_stack = launch(state, output, env=env)
    try:
        give_up = time.monotonic() + GUARD_SECONDS
        while not (state / "dev.json").exists():
            assert local_stack.process.poll() is None, output.read_text()
            assert time.monotonic() < give_up, output.read_text()
            time.sleep(0.05)
        yield local_stack
    finally:
        local_stack.process.kill()
        local_stack.process.wait()
