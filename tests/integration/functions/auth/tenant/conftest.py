"""The product of one module's tests."""

from collections.abc import AsyncIterator

import pytest_asyncio

from local.aws.tables import StageTables
from tests.support.people import product_of
from tests.support.whole_product import WholeProduct


@pytest_asyncio.fixture(scope="module")
async def product(module_tables: StageTables) -> AsyncIterator[WholeProduct]:
    product = product_of(module_tables)
    yield product
    await product.close()
