"""One wallet that can't be written must not keep every other tenant's credits held."""

from typing import Any

import pytest

from callmissed.aws.attributes import from_item, to_item
from callmissed.aws.database import Database
from callmissed.aws.dynamodb import DynamoDB, Unavailable
from callmissed.clock import MINUTE, Micros
from callmissed.ids import new_call_id
from callmissed.keys.budgets import KeyBudgets
from callmissed.ledger.grants import grant
from callmissed.ledger.holds import Ledger
from callmissed.ledger.sweep import sweep
from callmissed.money import MicroCredits
from callmissed.plans.plans import Plan
from callmissed.platform.tables import WALLETS, physical_name
from callmissed.tenants.tenants import create_tenant
from local.aws.tables import StageTables

NOVEMBER = Micros(1_794_787_200_000_000)
LATER = NOVEMBER + 21 * MINUTE


class Throttling(DynamoDB):
    """Throttles every write to the wallets in `hot`."""

    hot: frozenset[str] = frozenset()

    async def send(self, operation: str, payload: bytes) -> dict[str, Any]:
        if operation == "UpdateItem" and any(wallet.encode() in payload for wallet in self.hot):
            raise Unavailable("ThrottlingException", indeterminate=False)
        return await super().send(operation, payload)


async def holds_of(dynamodb: DynamoDB, stage: str, tenant: str) -> dict[str, Any]:
    request = {"TableName": physical_name(stage, WALLETS), "Key": to_item({"id": tenant}), "ConsistentRead": True}
    return from_item((await dynamodb.call("GetItem", request))["Item"])["h"]


async def test_the_others_are_swept_and_the_failure_is_raised(module_tables: StageTables) -> None:
    stage = module_tables.stage
    dynamodb = Throttling("us-east-1", module_tables.endpoint, timeout_seconds=30.0)
    tenants: list[str] = []
    for _ in range(4):
        tenant = (await create_tenant(Database(dynamodb, stage), name="tests", plan=Plan.PRO, now=NOVEMBER)).tenant_id
        await grant(
            Database(dynamodb, stage), tenant=tenant, amount=MicroCredits(1000), operation_id="start", now=NOVEMBER
        )
        await Ledger(Database(dynamodb, stage)).hold(tenant, new_call_id(NOVEMBER, 20), "llm", MicroCredits(100))
        tenants.append(tenant)

    for stuck in tenants[::3]:  # wherever these stand in the scan, another one stands behind one of them
        dynamodb.hot = dynamodb.hot | {stuck}
    with pytest.raises(Unavailable):
        await sweep(Database(dynamodb, stage), Micros(LATER), KeyBudgets)
    left = [bool(await holds_of(dynamodb, stage, tenant)) for tenant in tenants]
    assert left == [True, False, False, True]

    dynamodb.hot = frozenset()
    assert (await sweep(Database(dynamodb, stage), Micros(LATER), KeyBudgets)).backlog == 2
    assert not any([await holds_of(dynamodb, stage, tenant) for tenant in tenants])
    await dynamodb.close()
