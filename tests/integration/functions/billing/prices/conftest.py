"""A product whose providers file is a file, and an operator who previews and imports."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from local.aws.tables import StageTables
from tests.support.billing.price_importer import PriceImporter
from tests.support.faults import FaultyDynamoDB
from tests.support.sign_in import SettableClock, settings_of
from tests.support.whole_product import WholeProduct


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock()


@pytest_asyncio.fixture
async def importer(
    tables: StageTables, dynamodb: FaultyDynamoDB, tmp_path: Path, clock: SettableClock
) -> AsyncIterator[PriceImporter]:
    file = tmp_path / "providers.toml"
    file.write_text("# nothing yet\n")
    product = WholeProduct(settings_of(tables, providers_file=str(file)), clock, dynamodb=dynamodb)
    yield PriceImporter(product, dynamodb, file, clock)
    await product.close()
