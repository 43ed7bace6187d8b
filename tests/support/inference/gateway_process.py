"""The gateway as a process of its own, which a test can kill."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from local.aws.tables import StageTables
from local.paths import ROOT
from tests.support.aws.dynamodb_proxy import DynamoProxy
from tests.support.inference.gateway import PEPPER, REGION
from tests.support.threads import listening_socket


@contextmanager
def gateway_process(
    proxy: DynamoProxy, store: StageTables, providers_file: Path, log: Path, **variables: str
) -> Generator[tuple[int, str]]:
    """The application under uvicorn as a process of its own; yields its id and URL. It has `variables` besides."""
    environment = {
        **os.environ,
        "AWS_REGION": REGION,
        "CALLMISSED_STAGE": store.stage,
        "CALLMISSED_DYNAMODB_ENDPOINT": proxy.url,
        "CALLMISSED_PEPPERS": PEPPER.hex(),
        "CALLMISSED_PROVIDERS_FILE": str(providers_file),
        **variables,
    }
    with listening_socket() as listener, log.open("wb") as output:
        descriptor = listener.fileno()
        process = subprocess.Popen(
            [sys.executable, "-m", "uvicorn", "functions.inference.app:app", "--fd", str(descriptor)],
            cwd=ROOT,
            env=environment,
            pass_fds=[descriptor],
            stdout=output,
            stderr=output,
        )
        try:
            yield process.pid, f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            process.kill()
            process.wait(10)


async def listens(url: str) -> bool:
    """Whether the process at `url` takes connections."""
    address = urlsplit(url)
    try:
        _, writer = await asyncio.open_connection(address.hostname, address.port)
    except OSError:
        return False
    writer.close()
    await writer.wait_closed()
    return True
