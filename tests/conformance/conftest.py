"""The running stack of `make dev` on a free port, in front of a scripted upstream, and each official SDK."""

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from callmissed.aws.dynamodb import DynamoDB
from local.aws.account import STAGE
from local.state.folder import StateFolder
from tests.support.inference.fixtures import lab, providers_file, upstream
from tests.support.inference.gateway import REGION, Accounts
from tests.support.local_stack import LocalStack, running
from tests.support.model_server.server import model_server, providers_toml
from tests.support.sdks.interface import Sdk
from tests.support.sdks.opening import SDKS, sdk_at

__all__ = ["lab", "providers_file", "upstream"]


@pytest.fixture(scope="session")
def stack(providers_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    """`python -m local` with the tests' providers, and those of the model server."""
    folder = tmp_path_factory.mktemp("stack")
    with model_server() as port:
        providers = folder / "providers.toml"
        providers.write_text(f"{providers_file.read_text()}\n{providers_toml(port)}")
        secrets = {"LAB_API_KEY": "lab-secret", "MODEL_SERVER_KEY": "secret"}
        environment = {**os.environ, "CALLMISSED_PROVIDERS_FILE": str(providers), **secrets}
        with running(folder / "state", folder / "output.txt", environment) as local_stack:
            yield local_stack


@pytest.fixture(scope="session")
def base_url(stack: LocalStack) -> str:
    return stack.announcement["base_url"] + "/v1"


@pytest_asyncio.fixture(scope="session")
async def accounts(stack: LocalStack) -> AsyncIterator[Accounts]:
    """Tenants, keys and money of the running stack."""
    dynamodb = DynamoDB(REGION, stack.announcement["endpoints"]["dynamodb"], timeout_seconds=20)
    yield Accounts(dynamodb, STAGE, bytes.fromhex(StateFolder(stack.state).secrets().pepper))
    await dynamodb.close()


@pytest.fixture(scope="session", params=SDKS)
def sdk(request: pytest.FixtureRequest, base_url: str) -> Iterator[Sdk]:
    """One official SDK after the other, all driven alike."""
    with sdk_at(request.param, base_url) as sdk:
        yield sdk
