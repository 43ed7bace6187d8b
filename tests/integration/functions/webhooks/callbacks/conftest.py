"""The function `callbacks` on fresh tables."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from callmissed.aws.dynamodb import DynamoDB
from local.aws.tables import StageTables
from tests.support.webhooks.callbacks import CASHFREE_SECRET, Stage


@pytest_asyncio.fixture
async def stage(tables: StageTables, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    monkeypatch.setenv("CASHFREE_SECRET_KEY", CASHFREE_SECRET)
    dynamodb = DynamoDB("us-east-1", tables.endpoint, timeout_seconds=20)
    yield Stage(dynamodb, tables.stage)
    await dynamodb.close()
