"""Tenants: the organisations to whom everything belongs."""

import unicodedata
from typing import Any

from callmissed.aws.attributes import Item, from_item, to_item
from callmissed.aws.dynamodb import DynamoDB
from callmissed.aws.items import put_new, transact
from callmissed.aws.paging import items
from callmissed.clock import iso, month_of
from callmissed.errors import ApiError, invalid_request
from callmissed.ids import new_id
from callmissed.ledger.wallet import new_wallet
from callmissed.platform.tables import TENANTS, WALLETS, physical_name
from callmissed.tenancy.plans import Plan

RECORD = "TENANT"
_LONGEST_NAME = 255


def checked_name(name: str) -> str:
    """A name that people give, to a tenant or a key, without the spaces around it. Raises ApiError 400."""
    name = name.strip()
    if not 1 <= len(name) <= _LONGEST_NAME or any(unicodedata.category(letter) in ("Cc", "Cs") for letter in name):
        raise invalid_request(f"A name has 1 to {_LONGEST_NAME} characters and no control characters.", "name")
    return name


async def create_tenant(dynamodb: DynamoDB, stage: str, *, name: str, plan: Plan, now: int) -> Item:
    """A new tenant with an empty wallet, both or neither. Raises ApiError 400 for a bad name, Unavailable."""
    name = checked_name(name)
    tenant = new_id("tnt")
    record = {"tenant": tenant, "item": RECORD, "name": name, "plan": str(plan), "created_at": iso(now)}
    wallet = new_wallet(tenant, plan, month_of(now))
    await transact(dynamodb, [put_new(stage, TENANTS, record), put_new(stage, WALLETS, wallet)])
    return record


async def get_tenant(dynamodb: DynamoDB, stage: str, tenant: str) -> Item:
    """The tenant's record. Raises ApiError 404, Unavailable."""
    key = to_item({"tenant": tenant, "item": RECORD})
    answer = await dynamodb.call("GetItem", {"TableName": physical_name(stage, TENANTS), "Key": key})
    if "Item" not in answer:
        raise ApiError(404, "not_found", "No such tenant.")
    return from_item(answer["Item"])


async def list_tenants(dynamodb: DynamoDB, stage: str) -> list[Item]:
    """Records of all tenants, oldest first. Reads the whole table, so it is for operators only. Raises Unavailable."""
    request: dict[str, Any] = {
        "TableName": physical_name(stage, TENANTS),
        "FilterExpression": "#item = :record",
        "ExpressionAttributeNames": {"#item": "item"},
        "ExpressionAttributeValues": to_item({":record": RECORD}),
    }
    records = [record async for record in items(dynamodb, "Scan", request)]
    return sorted(records, key=lambda record: (record["created_at"], record["tenant"]))
