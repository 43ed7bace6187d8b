"""Fixtures of the API of conversations."""

from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio

from callmissed.aws.database import Database
from callmissed.aws.dynamodb import DynamoDB
from callmissed.web.app import create_api
from callmissed.web.request_context import RequestContextMiddleware
from functions.bots.inbox import routes
from functions.bots.inbox.repository import InboxRepository
from functions.bots.inbox.service import Inbox
from local.aws.tables import StageTables
from tests.support.bots.inbox import NOW, Clock, InboxApi, Tenant


@pytest_asyncio.fixture(scope="session")
async def shared_inbox_api(new_tables: Callable[[], StageTables]) -> AsyncIterator[InboxApi]:
    """The API that all tests share; each test has tenants of its own."""
    store = new_tables()
    dynamodb = DynamoDB("us-east-1", store.endpoint, timeout_seconds=30.0)
    database, clock = Database(dynamodb, store.stage), Clock()
    repository = InboxRepository(database)
    app = create_api("bots", (routes.router,), inbox=Inbox(repository), clock=clock)
    yield InboxApi(RequestContextMiddleware(app), database, clock)
    await dynamodb.close()


@pytest.fixture
def inbox_api(shared_inbox_api: InboxApi) -> InboxApi:
    """The API at `NOW`."""
    shared_inbox_api.clock.now = NOW
    return shared_inbox_api


@pytest.fixture
def tenant(inbox_api: InboxApi) -> Tenant:
    return inbox_api.tenant()
