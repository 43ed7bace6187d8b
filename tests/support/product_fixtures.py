"""Fixtures of the whole product of one module, at a moment that tests set."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from local.aws.tables import StageTables
from tests.support.people import SignedIn, new_tenant, product_of
from tests.support.sign_in import SettableClock
from tests.support.whole_product import WholeProduct


@pytest.fixture(scope="module")
def clock() -> SettableClock:
    return SettableClock()


@pytest_asyncio.fixture(scope="module")
async def product(module_tables: StageTables, clock: SettableClock) -> AsyncIterator[WholeProduct]:
    product = product_of(module_tables, clock)
    yield product
    await product.close()


@pytest_asyncio.fixture
async def owner(product: WholeProduct) -> SignedIn:
    """The owner of a new tenant."""
    return await new_tenant(product)
