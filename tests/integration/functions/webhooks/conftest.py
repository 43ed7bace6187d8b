"""Fixtures of the webhooks slice."""

from collections.abc import AsyncIterator, Callable

import pytest_asyncio

from local.aws.tables import StageTables
from tests.support.webhooks.simulation import Fate, Simulation


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
