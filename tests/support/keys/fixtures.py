"""Fixtures of every test that manages API keys or calls with them."""

from collections.abc import AsyncIterator, Callable

import pytest_asyncio

from callmissed.aws.dynamodb import DynamoDB
from local.aws.tables import StageTables
from tests.support.keys.key_store import KeyStore

__all__ = ["fresh_key_store", "key_store"]


@pytest_asyncio.fixture(scope="session")
async def key_store(new_tables: Callable[[], StageTables]) -> AsyncIterator[KeyStore]:
    """The keys of the stage that these tests share; each test has tenants of its own."""
    async for key_store in _opened(new_tables()):
        yield key_store


@pytest_asyncio.fixture
async def fresh_key_store(tables: StageTables) -> AsyncIterator[KeyStore]:
    """The keys of a stage of one test, which may read every item of it."""
    async for key_store in _opened(tables):
        yield key_store


async def _opened(store: StageTables) -> AsyncIterator[KeyStore]:
    made = [DynamoDB("us-east-1", store.endpoint, timeout_seconds=30.0)]
    yield KeyStore(made[0], store, made)
    for dynamodb in made:
        await dynamodb.close()
