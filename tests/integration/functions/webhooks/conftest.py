"""Fixtures of the webhooks slice."""

from collections.abc import AsyncIterator, Callable, Iterator

import pytest
import pytest_asyncio

from callmissed.aws.database import Database
from callmissed.aws.dynamodb import DynamoDB
from callmissed.settings import CoreSettings
from callmissed.web.request_context import RequestContextMiddleware
from functions.webhooks.handlers.api import create_app, create_services
from local.aws.tables import StageTables
from tests.support.webhooks.crashes import CrashPlan
from tests.support.webhooks.simulation import Simulation
from tests.support.webhooks.subscribers import NOW, RING, Tenant, WebhooksApi, check_url, composition_of


@pytest_asyncio.fixture
async def new_simulation(tables: StageTables) -> AsyncIterator[Callable[..., Simulation]]:
    """Makes simulations on tables that are one test's."""
    made: list[Simulation] = []

    def make(crash_plan: CrashPlan, *, tries: int = 1000) -> Simulation:
        made.append(Simulation(tables, crash_plan, tries=tries))
        return made[-1]

    yield make
    for simulation in made:
        await simulation.close()


@pytest_asyncio.fixture
async def simulation(new_simulation: Callable[[CrashPlan], Simulation]) -> Simulation:
    """A simulation in which no process dies."""
    return new_simulation(CrashPlan())


@pytest_asyncio.fixture(scope="session")
async def shared_webhooks_api(new_tables: Callable[[], StageTables]) -> AsyncIterator[WebhooksApi]:
    """The API that all tests share; each test has tenants of its own."""
    store = new_tables()
    dynamodb = DynamoDB("us-east-1", store.endpoint, timeout_seconds=30.0)
    webhooks_api = WebhooksApi(store, dynamodb)
    settings = CoreSettings(stage=store.stage, sealing_keys=RING[0].hex())
    services = create_services(
        composition_of(settings, Database(dynamodb, store.stage)),
        check_url=check_url,
        attempts=webhooks_api.endpoints,
        queue=webhooks_api.queue,
        clock=webhooks_api.clock,
    )
    webhooks_api.app = RequestContextMiddleware(create_app(services))
    yield webhooks_api
    await dynamodb.close()


@pytest.fixture
def webhooks_api(shared_webhooks_api: WebhooksApi) -> Iterator[WebhooksApi]:
    """The API at `NOW`, with an empty queue that works."""
    shared_webhooks_api.clock.now, shared_webhooks_api.queue.down = NOW, False
    shared_webhooks_api.queue.bodies()
    shared_webhooks_api.endpoints.posted.clear()
    yield shared_webhooks_api


@pytest.fixture
def tenant(webhooks_api: WebhooksApi) -> Tenant:
    return webhooks_api.tenant()
