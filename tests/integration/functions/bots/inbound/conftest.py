"""Fixtures of inbound messages."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from callmissed.aws.dynamodb import DynamoDB
from local.aws.tables import StageTables
from tests.support.bots.inbound import Inbound
from tests.support.webhooks.callbacks import CASHFREE_SECRET, CallbacksApi


@pytest_asyncio.fixture
async def inbound(tables: StageTables) -> AsyncIterator[Inbound]:
    """A tenant with a number and a bot, on fresh tables."""
    dynamodb = DynamoDB("us-east-1", tables.endpoint, timeout_seconds=20)
    inbound = Inbound(dynamodb, tables.stage)
    await inbound.connect()
    yield inbound
    await dynamodb.close()


@pytest_asyncio.fixture
async def callbacks_api(tables: StageTables, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[CallbacksApi]:
    monkeypatch.setenv("CASHFREE_SECRET_KEY", CASHFREE_SECRET)
    dynamodb = DynamoDB("us-east-1", tables.endpoint, timeout_seconds=20)
    yield CallbacksApi(dynamodb, tables.stage)
    await dynamodb.close()
