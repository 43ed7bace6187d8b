"""Conversations that a bot answers: real tables, a scripted model, the stand-in for Graph."""

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from local.aws.tables import StageTables
from local.fakes.graph.fake import FakeGraph
from tests.support.bots.turns import BotProcess, Chat, NewChat
from tests.support.faults import FaultyDynamoDB
from tests.support.inference.fixtures import accounts, lab, providers_file, store, upstream
from tests.support.inference.gateway import Accounts, settings_for

__all__ = ["accounts", "lab", "providers_file", "store", "upstream"]


@pytest.fixture(scope="session")
def served_graph() -> Iterator[FakeGraph]:
    with FakeGraph().serving() as graph:
        yield graph


@pytest.fixture
def graph(served_graph: FakeGraph) -> Iterator[FakeGraph]:
    """The stand-in without faults."""
    yield served_graph
    served_graph.clear_faults()


@pytest_asyncio.fixture
async def new_process(
    store: StageTables, providers_file: Path, graph: FakeGraph
) -> AsyncIterator[Callable[[], BotProcess]]:
    """Makes processes of the worker, which share tables and Graph."""
    made: list[BotProcess] = []

    def make() -> BotProcess:
        made.append(BotProcess(settings_for(store, providers_file), FaultyDynamoDB(store.endpoint), graph))
        return made[-1]

    yield make
    for process in made:
        await process.close()


@pytest.fixture
def process(new_process: Callable[[], BotProcess]) -> BotProcess:
    return new_process()


@pytest.fixture
def new_chat(process: BotProcess, accounts: Accounts, store: StageTables) -> NewChat:
    """Makes conversations of new tenants; arguments are fields of the bot's configuration."""

    async def make(account: dict[str, Any] | None = None, **config: Any) -> Chat:
        chat = Chat(process, await accounts.account(**(account or {})), accounts.dynamodb, store.stage)
        return await chat.open(**config)

    return make


@pytest_asyncio.fixture
async def chat(new_chat: NewChat) -> Chat:
    return await new_chat()
