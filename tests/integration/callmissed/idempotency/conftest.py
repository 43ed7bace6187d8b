"""Fixtures: the store of fresh tables, a clock that tests advance, and long answers in memory instead of S3."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from callmissed.aws.database import Database
from callmissed.aws.dynamodb import DynamoDB
from callmissed.idempotency.store import IdempotencyStore
from local.aws.tables import StageTables
from tests.support.idempotency import ManualClock, MemoryAnswers


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def stored_answers() -> MemoryAnswers:
    return MemoryAnswers()


@pytest_asyncio.fixture
async def dynamodb(tables: StageTables) -> AsyncIterator[DynamoDB]:
    dynamodb = DynamoDB("us-east-1", tables.endpoint, timeout_seconds=20)
    yield dynamodb
    await dynamodb.close()


@pytest.fixture
def records(dynamodb: DynamoDB, tables: StageTables, stored_answers: MemoryAnswers) -> IdempotencyStore:
    return IdempotencyStore(Database(dynamodb, tables.stage), stored_answers)
