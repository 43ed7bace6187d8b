"""The stage that the tests of the API of webhooks share; each has tenants of its own."""

from collections.abc import AsyncIterator, Callable, Iterator

import pytest
import pytest_asyncio

from callmissed.aws.database import Database
from callmissed.aws.dynamodb import DynamoDB
from callmissed.settings import CoreSettings
from callmissed.web.request_context import RequestContextMiddleware
from functions.webhooks.api import create_app, create_parts
from local.aws.tables import StageTables
from tests.support.webhooks.subscribers import NOW, RING, Stage, Tenant, check_url


@pytest_asyncio.fixture(scope="session")
async def shared_stage(new_tables: Callable[[], StageTables]) -> AsyncIterator[Stage]:
    store = new_tables()
    dynamodb = DynamoDB("us-east-1", store.endpoint, timeout_seconds=30.0)
    stage = Stage(store, dynamodb)
    settings = CoreSettings(stage=store.stage, sealing_keys=RING[0].hex())
    parts = create_parts(
        settings,
        Database(dynamodb, store.stage),
        check_url=check_url,
        attempts=stage.endpoints,
        dispatch=stage.queue,
        clock=stage.clock,
    )
    stage.app = RequestContextMiddleware(create_app(parts))
    yield stage
    await dynamodb.close()


@pytest.fixture
def stage(shared_stage: Stage) -> Iterator[Stage]:
    """The stage at `NOW`, with an empty queue that works."""
    shared_stage.clock.now, shared_stage.queue.down = NOW, False
    shared_stage.queue.orders()
    shared_stage.endpoints.posted.clear()
    yield shared_stage


@pytest.fixture
def tenant(stage: Stage) -> Tenant:
    return stage.tenant()
