"""The whole product, and people who manage keys in it."""

from collections.abc import AsyncIterator

import pytest_asyncio

from callmissed.clock import system_clock
from callmissed.settings import CoreSettings
from local.aws.tables import StageTables
from tests.support.inference.gateway import PEPPER
from tests.support.people import SignedIn, new_tenant
from tests.support.webhooks.callbacks import SEALING
from tests.support.whole_product import WholeProduct


@pytest_asyncio.fixture(scope="module")
async def product(module_tables: StageTables) -> AsyncIterator[WholeProduct]:
    settings = CoreSettings(
        stage=module_tables.stage,
        region="us-east-1",
        dynamodb_endpoint=module_tables.endpoint,
        peppers=PEPPER.hex(),
        sealing_keys=SEALING,
    )
    product = WholeProduct(settings, system_clock)
    yield product
    await product.close()


@pytest_asyncio.fixture
async def owner(product: WholeProduct) -> SignedIn:
    return await new_tenant(product)
