"""What purchases and the turn of the month ask of DynamoDB, as the page about costs says."""

import pytest

from bench import purchases
from bench.cost import DOCUMENT
from functions.webhooks.callbacks.cashfree import SECRET
from local.aws.tables import StageTables
from tests.support.webhooks.callbacks import CASHFREE_SECRET


async def test_purchases_take_what_the_page_about_costs_says(
    tables: StageTables, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SECRET, CASHFREE_SECRET)
    counted = await purchases.count_all(tables)

    assert purchases.rendered(counted) in DOCUMENT.read_text()
