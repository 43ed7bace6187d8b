"""Tenants: the organisations to whom everything belongs."""

from callmissed.aws.attributes import Item, from_item, to_item
from callmissed.aws.dynamodb import DynamoDB
from callmissed.clock import iso, month_of
from callmissed.errors import ApiError
from callmissed.ids import new_id
from callmissed.ledger.wallet import new_wallet
from callmissed.platform.tables import TENANTS, WALLETS, physical_name
from callmissed.tenancy.plans import Plan

RECORD = "TENANT"


async def create_tenant(dynamodb: DynamoDB, stage: str, *, name: str, plan: Plan, now: int) -> Item:
    """A new tenant with an empty wallet, both or neither. Raises Unavailable."""
    tenant = new_id("tnt")
    record = {"tenant": tenant, "item": RECORD, "name": name, "plan": str(plan), "created_at": iso(now)}
    puts = [(TENANTS, record), (WALLETS, new_wallet(tenant, plan, month_of(now)))]
    parts = [{"Put": {"TableName": physical_name(stage, table), "Item": to_item(item)}} for table, item in puts]
    await dynamodb.call("TransactWriteItems", {"TransactItems": parts})
    return record


async def get_tenant(dynamodb: DynamoDB, stage: str, tenant: str) -> Item:
    """The tenant's record. Raises ApiError 404, Unavailable."""
    key = to_item({"tenant": tenant, "item": RECORD})
    answer = await dynamodb.call("GetItem", {"TableName": physical_name(stage, TENANTS), "Key": key})
    if "Item" not in answer:
        raise ApiError(404, "not_found", "No such tenant.")
    return from_item(answer["Item"])
