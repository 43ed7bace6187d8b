"""The pipeline in the test's own loop, over real tables and a scripted upstream."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from callmissed_ai.calls.container import Container, create_container
from local.aws.tables import StageTables
from tests.support.faults import FaultyDynamoDB
from tests.support.inference.fixtures import *  # noqa: F403  pytest finds fixtures by their names here
from tests.support.inference.gateway import settings_for
from tests.support.inference.process import Process


@pytest_asyncio.fixture
async def process(store: StageTables, providers_file: Path) -> AsyncIterator[Process]:
    dynamodb = FaultyDynamoDB(store.endpoint)
    container = create_container(settings_for(store, providers_file), dynamodb=dynamodb)
    yield Process(container, dynamodb)
    await container.close()
    assert dynamodb.pending == 0


@pytest_asyncio.fixture
async def container(process: Process) -> Container:
    return process.container
