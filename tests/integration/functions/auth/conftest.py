"""Fixtures of the auth slice."""

from collections.abc import AsyncIterator

import pytest_asyncio

from local.aws.tables import StageTables
from tests.support.keys.fixtures import fresh_key_store, key_store
from tests.support.people import SignedIn, new_tenant
from tests.support.sign_in import SettableClock, SignInPages, settings_of
from tests.support.whole_product import WholeProduct

__all__ = ["fresh_key_store", "key_store"]


@pytest_asyncio.fixture(scope="module")
async def pages(module_tables: StageTables) -> AsyncIterator[SignInPages]:
    clock = SettableClock()
    product = WholeProduct(settings_of(module_tables), clock)
    yield SignInPages(product, clock)
    await product.close()


@pytest_asyncio.fixture(scope="module")
async def product(module_tables: StageTables) -> AsyncIterator[WholeProduct]:
    """The whole product on tables that the tests of one module share."""
    product = WholeProduct(settings_of(module_tables))
    yield product
    await product.close()


@pytest_asyncio.fixture
async def owner(product: WholeProduct) -> SignedIn:
    """The owner of a new tenant."""
    return await new_tenant(product)
