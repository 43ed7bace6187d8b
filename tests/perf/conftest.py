"""Fixtures of the counting tests."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx2
import pytest
import pytest_asyncio
from aiohttp import web

from local.aws.tables import StageTables
from tests.support.counting import Count, CountingDynamoDB
from tests.support.inference.behaviours import ordinary
from tests.support.inference.fixtures import accounts, lab, providers_file, store, upstream
from tests.support.inference.gateway import REGION, gateway_at_work, settings_for
from tests.support.inference.upstream import FakeUpstream, Received

__all__ = ["accounts", "lab", "providers_file", "store", "upstream"]


@pytest.fixture(scope="module")
def dynamodb(store: StageTables) -> CountingDynamoDB:
    return CountingDynamoDB(REGION, store.endpoint)


@pytest.fixture
def count(dynamodb: CountingDynamoDB) -> Count:
    return dynamodb.restart()


@pytest_asyncio.fixture(scope="module")
async def client(
    dynamodb: CountingDynamoDB, store: StageTables, providers_file: Path
) -> AsyncIterator[httpx2.AsyncClient]:
    with gateway_at_work(settings_for(store, providers_file), dynamodb=dynamodb) as gateway:
        async with httpx2.AsyncClient(base_url=gateway.url, timeout=30, trust_env=False) as client:
            yield client


@pytest.fixture
def asked(upstream: FakeUpstream, dynamodb: CountingDynamoDB) -> Iterator[FakeUpstream]:
    """The upstream, which notes how many answers DynamoDB has given when it is asked."""

    async def noting(request: web.Request, received: Received) -> web.StreamResponse:
        dynamodb.count.before_upstream = len(dynamodb.count.exchanges)
        return await ordinary(request, received)

    upstream.otherwise = noting
    yield upstream
    upstream.otherwise = ordinary
