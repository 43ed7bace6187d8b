"""Fixtures of the API of conversations."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio
from starlette.types import Receive, Scope, Send

from callmissed.aws.database import Database
from callmissed.aws.dynamodb import DynamoDB
from callmissed.web.app import create_api
from callmissed.web.request_context import RequestContextMiddleware
from functions.bots.conversations.take_over import TakeOvers
from functions.bots.inbox import change_routes, routes
from functions.bots.inbox.changes import InboxChanges
from functions.bots.inbox.handoffs import Handoffs
from functions.bots.inbox.repository import InboxRepository
from functions.bots.inbox.search import MessageSearch
from functions.bots.inbox.service import Inbox
from local.aws.tables import StageTables
from tests.support.bots.inbox import NOW, Clock, InboxApi, Tenant


async def nothing(_scope: Scope, _receive: Receive, _send: Send) -> None:
    raise AssertionError("no application was set")


@pytest_asyncio.fixture(scope="session")
async def shared_inbox_api(new_tables: Callable[[], StageTables]) -> AsyncIterator[InboxApi]:
    """The API that all tests share; each test has tenants of its own."""
    store = new_tables()
    dynamodb = DynamoDB("us-east-1", store.endpoint, timeout_seconds=30.0)
    database, clock = Database(dynamodb, store.stage), Clock()
    repository = InboxRepository(database)
    inbox_api = InboxApi(nothing, database, clock)
    inbox = Inbox(repository)
    changes = InboxChanges(inbox, TakeOvers(database, clock, inbox_api.pause))
    app = create_api(
        "bots",
        (routes.router, change_routes.router),
        inbox=inbox,
        inbox_changes=changes,
        handoffs=Handoffs(repository, inbox, changes),
        message_search=MessageSearch(repository, inbox),
        clock=clock,
    )
    inbox_api.app = RequestContextMiddleware(app)
    yield inbox_api
    await dynamodb.close()


@pytest.fixture
def inbox_api(shared_inbox_api: InboxApi) -> InboxApi:
    """The API at `NOW`."""
    shared_inbox_api.clock.now, shared_inbox_api.sleep = NOW, asyncio.sleep
    return shared_inbox_api


@pytest.fixture
def tenant(inbox_api: InboxApi) -> Tenant:
    return inbox_api.tenant()
