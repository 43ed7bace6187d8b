"""Fixtures: the API with a stand-in for Graph of its own."""

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from local.fakes.graph.fake import FakeGraph
from tests.support.bots.bots_api import BotsApi, BotTenant


@pytest.fixture
def graph() -> Iterator[FakeGraph]:
    """A stand-in for Graph, with one account and one number."""
    with FakeGraph().serving() as fake:
        yield fake


@pytest_asyncio.fixture
async def whatsapp_api(shared_bots_api: BotsApi, graph: FakeGraph) -> AsyncIterator[BotsApi]:
    """The API whose Graph is the stand-in. Tables are shared, so a test's numbers are taken by its own tenants."""
    api = BotsApi(shared_bots_api.database, graph_url=f"{graph.url}/v24.0")
    yield api
    await api.close()


@pytest.fixture
def business(whatsapp_api: BotsApi) -> BotTenant:
    """A tenant."""
    return whatsapp_api.tenant()
