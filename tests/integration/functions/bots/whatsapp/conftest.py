"""Fixtures: the API with a stand-in for Graph of its own, and with that of a process that sends."""

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from local.fakes.graph.fake import FakeGraph
from tests.support.bots.bots_api import BotsApi, BotTenant
from tests.support.bots.whatsapp_numbers import NumberedTenant, SendingProcess


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


@pytest_asyncio.fixture
async def api(sending: SendingProcess) -> AsyncIterator[BotsApi]:
    """The API over the stand-in for Graph of the process that sends, at its time."""
    made = BotsApi(sending.database, sending.jobs, graph_url=f"{sending.graph.url}/v24.0")
    yield made
    await made.close()


@pytest.fixture
def key(api: BotsApi, numbered: NumberedTenant) -> BotTenant:
    """A key of the tenant with the number."""
    return api.tenant(numbered.id)
