"""The whole product, whose payment gateway is a stand-in that keeps its callbacks."""

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from local.aws.tables import StageTables
from local.fakes.cashfree.fake import FakeCashfree
from tests.support.billing.gateway_account import GATEWAY_ACCOUNT, SECRET_KEY
from tests.support.sign_in import settings_of
from tests.support.whole_product import WholeProduct


@pytest.fixture(scope="module")
def gateway() -> Iterator[FakeCashfree]:
    """The stand-in for the payment gateway."""
    with pytest.MonkeyPatch.context() as patch, FakeCashfree(secret_key=SECRET_KEY).serving() as cashfree:
        for name, value in GATEWAY_ACCOUNT.items():
            patch.setenv(name, value)
        yield cashfree


@pytest_asyncio.fixture(scope="module")
async def paying_product(module_tables: StageTables, gateway: FakeCashfree) -> AsyncIterator[WholeProduct]:
    """The product, in which orders can be paid."""
    product = WholeProduct(settings_of(module_tables, cashfree_url=gateway.api_url))
    yield product
    await product.close()
