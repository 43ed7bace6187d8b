"""A month that only some of a tenant's shards have begun."""

from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio

from callmissed.aws.attributes import from_item, to_item
from callmissed.aws.database import Database
from callmissed.aws.dynamodb import DynamoDB
from callmissed.clock import MINUTE, Micros
from callmissed.ids import new_call_id
from callmissed.ledger.holds import Ledger
from callmissed.ledger.shards import wallet_id
from callmissed.money import MicroCredits
from callmissed.plans.plans import Plan, limits
from callmissed.platform.tables import WALLETS, physical_name
from local.aws.tables import StageTables
from tests.support.wallet_items import held, new_wallet

NOVEMBER = Micros(1_794_787_200_000_000)
DECEMBER = Micros(NOVEMBER + 20 * 24 * 60 * MINUTE)
SHARDS = limits(Plan.ENTERPRISE).wallet_shards


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def dynamodb(module_tables: StageTables) -> AsyncIterator[DynamoDB]:
    client = DynamoDB("us-east-1", module_tables.endpoint, timeout_seconds=30.0)
    yield client
    await client.close()


async def read(dynamodb: DynamoDB, table: str, id: str) -> dict[str, Any]:
    request = {"TableName": table, "Key": to_item({"id": id}), "ConsistentRead": True}
    return from_item((await dynamodb.call("GetItem", request))["Item"])


async def test_last_months_spending_takes_nothing_off_this_months_budget(
    dynamodb: DynamoDB, module_tables: StageTables
) -> None:
    table, ids = physical_name(module_tables.stage, WALLETS), [wallet_id("tnt_months", at) for at in range(SHARDS)]
    for id in ids:
        money = {"av": 10_000, "gr": 10_900, "bud": 1000, "bl": 100, "sp": 900}
        wallet = new_wallet(id, Plan.ENTERPRISE, 202611) | money
        await dynamodb.call("PutItem", {"TableName": table, "Item": to_item(wallet)})

    ledger = Ledger(Database(dynamodb, module_tables.stage))
    hold, _ = await ledger.hold(
        "tnt_months", new_call_id(DECEMBER, 20), "llm", MicroCredits(SHARDS * 1000), shards=SHARDS
    )

    wallets = [await read(dynamodb, table, id) for id in ids]
    assert hold.amount == SHARDS * 1000
    assert sum(map(held, wallets)) == sum(wallet["bud"] for wallet in wallets) == SHARDS * 1000
    for wallet in wallets:
        assert wallet["bl"] + held(wallet) + wallet["sp"] == wallet["bud"]
        assert wallet["av"] + held(wallet) + wallet["sp"] + wallet["spt"] == wallet["gr"]
