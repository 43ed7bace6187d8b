"""Fixtures of the bots slice."""

from collections.abc import AsyncIterator, Callable, Iterator

import pytest
import pytest_asyncio

from callmissed.aws.database import Database
from callmissed.aws.dynamodb import DynamoDB
from local.aws.tables import StageTables
from tests.support.bots.bots_api import NOW, BotsApi, BotTenant, MovingClock
from tests.support.bots.whatsapp_numbers import JobList, NumberedTenant, SendingProcess, graph_of


@pytest_asyncio.fixture(scope="session")
async def shared_bots_api(new_tables: Callable[[], StageTables]) -> AsyncIterator[BotsApi]:
    """The API that all tests share; each test has tenants of its own."""
    store = new_tables()
    dynamodb = DynamoDB("us-east-1", store.endpoint, timeout_seconds=30.0)
    api = BotsApi(Database(dynamodb, store.stage))
    yield api
    await api.close()
    await dynamodb.close()


@pytest.fixture
def bots_api(shared_bots_api: BotsApi) -> Iterator[BotsApi]:
    """The API at `NOW`."""
    shared_bots_api.clock.now = NOW
    yield shared_bots_api


@pytest.fixture
def tenant(bots_api: BotsApi) -> BotTenant:
    return bots_api.tenant()


@pytest.fixture(scope="session")
def bots_tables(new_tables: Callable[[], StageTables]) -> StageTables:
    """Tables of the processes that send."""
    return new_tables()


@pytest_asyncio.fixture(scope="session")
async def shared_sending(bots_tables: StageTables) -> AsyncIterator[SendingProcess]:
    """A process that sends, which all tests share; each test has tenants of its own."""
    store, clock = bots_tables, MovingClock()
    dynamodb = DynamoDB("us-east-1", store.endpoint, timeout_seconds=30.0)
    with graph_of(clock).serving() as graph:
        process = SendingProcess(Database(dynamodb, store.stage), graph, clock, JobList())
        yield process
        await process.close()
    await dynamodb.close()


@pytest.fixture
def sending(shared_sending: SendingProcess) -> Iterator[SendingProcess]:
    """The process at `NOW`, with a queue that works and a Graph without faults."""
    shared_sending.clock.now = NOW
    shared_sending.jobs.down = False
    shared_sending.jobs.bodies()
    shared_sending.time.pauses.clear()
    yield shared_sending
    shared_sending.graph.clear_faults()


@pytest_asyncio.fixture
async def numbered(sending: SendingProcess) -> NumberedTenant:
    """A tenant with a number."""
    return await sending.tenant()
