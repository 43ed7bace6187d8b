"""The function `callbacks` on fresh tables."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from callmissed.aws.dynamodb import DynamoDB
from local.aws.tables import StageTables
from tests.support.webhooks.callbacks import CASHFREE_SECRET, CallbacksApi


@pytest_asyncio.fixture
async def callbacks_api(tables: StageTables, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[CallbacksApi]:
    monkeypatch.setenv("CASHFREE_SECRET_KEY", CASHFREE_SECRET)
    dynamodb = DynamoDB("us-east-1", tables.endpoint, timeout_seconds=20)
    yield CallbacksApi(dynamodb, tables.stage)
    await dynamodb.close()
