"""Child processes of the benchmark: started on loopback, pinned, watched for CPU and memory, and stopped."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

from bench.load import Job, Outcome, Sample, WrongAnswerError

ROOT = Path(__file__).parent.parent
START_SECONDS = 90.0
STOP_SECONDS = 10.0


class BenchError(Exception):
    """A server did not start, or answered wrongly."""


def split_cores() -> list[int]:
    """Move this process, and with it all its later children, off the first core; returns that core for gateways.

    Empty, and nothing moved, where the platform cannot pin or there is but one core.
    """
    available = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_setaffinity") else []
    if len(available) < 2:
        return []
    os.sched_setaffinity(0, available[1:])
    return available[:1]


@dataclass(frozen=True, slots=True)
class Server:
    """A running child process with its children."""

    process: psutil.Process

    def _tree(self) -> list[psutil.Process]:
        return [self.process, *self.process.children(recursive=True)]

    def cpu_seconds(self) -> float:
        """CPU that the whole process tree has used since it started."""
        times = [process.cpu_times() for process in self._tree()]
        return sum(each.user + each.system for each in times)

    def resident_mb(self) -> float:
        """Resident memory of the process tree in MB (10^6 bytes)."""
        return sum(process.memory_info().rss for process in self._tree()) / 1e6


@contextmanager
def running(command: Sequence[str], env: Mapping[str, str], log: Path, on: Sequence[int] = ()) -> Generator[Server]:
    """Run `command` on the cores `on` (else ours) with only `env` added to PATH and HOME, its output in `log`.

    It is stopped on the way out.
    """
    inherited = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    with log.open("wb") as output:
        child = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**inherited, **env},
            stdout=output,
            stderr=output,
            preexec_fn=(lambda: os.sched_setaffinity(0, on)) if on else None,
        )
    server = Server(psutil.Process(child.pid))
    try:
        yield server
    finally:
        _stop(child, server)


def _stop(child: subprocess.Popen[bytes], server: Server) -> None:
    family = server.process.children(recursive=True) if child.poll() is None else []
    child.terminate()
    try:
        child.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
    for orphan in family:
        if orphan.is_running():
            orphan.kill()


def wait_for_port(port: int, server: Server, log: Path) -> None:
    """Return once something accepts connections on `port`. Raises `BenchError` if the server dies or takes too long."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and server.process.status() != psutil.STATUS_ZOMBIE:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.01)
    raise BenchError(f"nothing listens on port {port}:\n{log.read_text(errors='replace')[-2000:]}")


class LoadGenerator:
    """The load generator's process, which does one job at a time."""

    def __init__(self) -> None:
        self._child = subprocess.Popen(
            [sys.executable, "-m", "bench.load"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def do(self, job: Job) -> Outcome:
        """Do `job`. Raises `WrongAnswerError` with the first failure."""
        assert self._child.stdin and self._child.stdout
        self._child.stdin.write(json.dumps(asdict(job)) + "\n")
        self._child.stdin.flush()
        reply: dict[str, Any] = json.loads(self._child.stdout.readline() or '{"error": "the load generator died"}')
        if "error" in reply:
            raise WrongAnswerError(reply["error"])
        return Outcome(reply["calls"], [Sample(**sample) for sample in reply["samples"]])

    def close(self) -> None:
        """End the process, whatever it is doing."""
        self._child.terminate()
        self._child.communicate()
