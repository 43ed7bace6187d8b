"""Fixtures of purchases: the stand-in for the gateway, and a tenant that buys."""

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from callmissed.aws import dynamodb as client
from local.aws.tables import StageTables
from local.fakes.cashfree.fake import FakeCashfree
from tests.support.billing.purchases import Purchases
from tests.support.faults import FaultyDynamoDB


@pytest.fixture(scope="module")
def serving_cashfree() -> Iterator[FakeCashfree]:
    with FakeCashfree().serving() as cashfree:
        yield cashfree


@pytest.fixture
def cashfree(serving_cashfree: FakeCashfree) -> Iterator[FakeCashfree]:
    """The stand-in, whose faults, timing and kept callbacks end with the test."""
    yield serving_cashfree
    serving_cashfree.state.faults.clear()
    serving_cashfree.state.refund_status = "SUCCESS"
    serving_cashfree.timing()
    serving_cashfree.take()


@pytest_asyncio.fixture
async def dynamodb(tables: StageTables, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FaultyDynamoDB]:
    """A client that does as its faults say, and retries at once."""
    monkeypatch.setattr(client, "_BACKOFF_SECONDS", 0.0)
    faulty = FaultyDynamoDB(tables.endpoint)
    yield faulty
    await faulty.close()


@pytest_asyncio.fixture
async def purchases(tables: StageTables, dynamodb: FaultyDynamoDB, cashfree: FakeCashfree) -> AsyncIterator[Purchases]:
    purchases = await Purchases(tables, dynamodb, cashfree).open()
    yield purchases
    await purchases.close()
