"""Fixtures of every test that talks to the gateway over the wire."""

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import httpx2
import pytest
import pytest_asyncio

from callmissed.aws.dynamodb import DynamoDB
from local.aws.tables import StageTables
from tests.support.inference.behaviours import ordinary
from tests.support.inference.gateway import (
    REGION,
    Accounts,
    ServedGateway,
    gateway_at_work,
    providers_toml,
    settings_for,
)
from tests.support.inference.upstream import FakeUpstream
from tests.support.threads import listening_socket

__all__ = ["accounts", "client", "gateway", "lab", "providers_file", "store", "upstream"]


@pytest.fixture(scope="session")
def store(new_tables: Callable[[], StageTables]) -> StageTables:
    """The tables that all wire tests share; each test has tenants of its own."""
    return new_tables()


@pytest.fixture(scope="session")
def lab() -> Iterator[FakeUpstream]:
    """The one scripted upstream behind every provider of the tests' catalog."""
    with FakeUpstream(ordinary).serving() as upstream:
        yield upstream


@pytest.fixture
def upstream(lab: FakeUpstream) -> Iterator[FakeUpstream]:
    """The scripted upstream with nothing queued and nothing recorded; a test must use up what it queues."""
    lab.forget()
    yield lab
    assert lab.unused == 0, "the test queued behaviours that nobody asked for"


@pytest.fixture(scope="session")
def providers_file(lab: FakeUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The operator's file of the tests' catalog; the `dead` provider's port refuses connections."""
    path = tmp_path_factory.mktemp("providers") / "providers.toml"
    with listening_socket() as closed:  # bound but not listening
        path.write_text(providers_toml(lab.port, closed.getsockname()[1]))
        yield path


@pytest.fixture(scope="session")
def gateway(store: StageTables, providers_file: Path) -> Iterator[ServedGateway]:
    """The gateway that most tests share; patient with a busy machine."""
    dynamodb = DynamoDB(REGION, store.endpoint, timeout_seconds=20)
    with gateway_at_work(settings_for(store, providers_file), dynamodb=dynamodb) as gateway:
        yield gateway


@pytest_asyncio.fixture(scope="session")
async def accounts(store: StageTables) -> AsyncIterator[Accounts]:
    """Tenants, keys and money of the shared tables."""
    dynamodb = DynamoDB(REGION, store.endpoint, timeout_seconds=10)
    yield Accounts(dynamodb, store.stage)
    await dynamodb.close()


@pytest_asyncio.fixture(scope="session")
async def client(gateway: ServedGateway) -> AsyncIterator[httpx2.AsyncClient]:
    """An HTTP client of the shared gateway."""
    async with httpx2.AsyncClient(base_url=gateway.url, timeout=30, trust_env=False) as client:
        yield client
