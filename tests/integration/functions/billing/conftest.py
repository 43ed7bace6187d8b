"""The whole product and single purchases, whose payment gateway is a stand-in that keeps its callbacks."""

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from callmissed.aws import dynamodb as client
from callmissed.clock import SECOND
from local.aws.tables import StageTables
from local.fakes.cashfree.fake import FakeCashfree
from tests.support.billing.gateway_account import GATEWAY_ACCOUNT, SECRET_KEY
from tests.support.billing.purchases import Purchases
from tests.support.faults import FaultyDynamoDB
from tests.support.product_fixtures import clock
from tests.support.sign_in import SettableClock, settings_of
from tests.support.whole_product import WholeProduct

__all__ = ["clock"]


@pytest.fixture(scope="module")
def gateway() -> Iterator[FakeCashfree]:
    """The stand-in for the payment gateway."""
    with pytest.MonkeyPatch.context() as patch, FakeCashfree(secret_key=SECRET_KEY).serving() as cashfree:
        for name, value in GATEWAY_ACCOUNT.items():
            patch.setenv(name, value)
        yield cashfree


@pytest_asyncio.fixture(scope="module")
async def paying_product(
    module_tables: StageTables, gateway: FakeCashfree, clock: SettableClock
) -> AsyncIterator[WholeProduct]:
    """The product, in which orders can be paid, at a moment that tests set."""
    gateway.state.clock = lambda: clock() / SECOND
    product = WholeProduct(settings_of(module_tables, cashfree_url=gateway.api_url), clock)
    yield product
    await product.close()


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
