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
from tests.support.webhooks.simulation import Fate, Simulation
from tests.support.webhooks.subscribers import NOW, RING, Stage, Tenant, check_url, composition_of


@pytest_asyncio.fixture
async def new_simulation(tables: StageTables) -> AsyncIterator[Callable[..., Simulation]]:
    """Makes simulations on tables that are one test's."""
    made: list[Simulation] = []

    def make(fate: Fate, *, tries: int = 1000) -> Simulation:
        made.append(Simulation(tables, fate, tries=tries))
        return made[-1]

    yield make
    for simulation in made:
        await simulation.close()


@pytest_asyncio.fixture
async def simulation(new_simulation: Callable[[Fate], Simulation]) -> Simulation:
    """A stage in which nobody dies."""
    return new_simulation(Fate())


@pytest_asyncio.fixture(scope="session")
async def shared_stage(new_tables: Callable[[], StageTables]) -> AsyncIterator[Stage]:
    """The stage that the tests of the API share; each has tenants of its own."""
    store = new_tables()
    dynamodb = DynamoDB("us-east-1", store.endpoint, timeout_seconds=30.0)
    stage = Stage(store, dynamodb)
    settings = CoreSettings(stage=store.stage, sealing_keys=RING[0].hex())
    services = create_services(
        composition_of(settings, Database(dynamodb, store.stage)),
        check_url=check_url,
        attempts=stage.endpoints,
        queue=stage.queue,
        clock=stage.clock,
    )
    stage.app = RequestContextMiddleware(create_app(services))
    yield stage
    await dynamodb.close()


@pytest.fixture
def stage(shared_stage: Stage) -> Iterator[Stage]:
    """The stage at `NOW`, with an empty queue that works."""
    shared_stage.clock.now, shared_stage.queue.down = NOW, False
    shared_stage.queue.bodies()
    shared_stage.endpoints.posted.clear()
    yield shared_stage


@pytest.fixture
def tenant(stage: Stage) -> Tenant:
    return stage.tenant()
