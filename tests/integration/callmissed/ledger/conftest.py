"""A ledger on a client with faults, and tenants as every other process sees them."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from callmissed.aws.database import Database
from callmissed.aws.dynamodb import DynamoDB
from local.aws.tables import StageTables
from tests.support.faults import FaultyDynamoDB
from tests.support.tenant_wallets import MakeWallets, TenantWallets


@pytest_asyncio.fixture
async def faulty(tables: StageTables) -> AsyncIterator[FaultyDynamoDB]:
    dynamodb = FaultyDynamoDB(tables.endpoint)
    yield dynamodb
    await dynamodb.close()


@pytest.fixture
def database(tables: StageTables, faulty: FaultyDynamoDB) -> Database:
    return Database(faulty, tables.stage)


@pytest_asyncio.fixture
async def make_wallets(tables: StageTables) -> AsyncIterator[MakeWallets]:
    dynamodb = DynamoDB("us-east-1", tables.endpoint, timeout_seconds=30.0)
    yield lambda shards=1: TenantWallets(tables, dynamodb, shards=shards)
    await dynamodb.close()


@pytest.fixture
def wallets(make_wallets: MakeWallets) -> TenantWallets:
    return make_wallets()
