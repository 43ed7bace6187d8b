"""Fixtures of the bots slice."""

from collections.abc import AsyncIterator, Callable, Iterator

import pytest
import pytest_asyncio

from callmissed.aws.database import Database
from callmissed.aws.dynamodb import DynamoDB
from local.aws.tables import StageTables
from tests.support.bots.bots_api import NOW, BotsApi, BotTenant


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
