"""Tenants: the organisations to whom everything belongs."""

import unicodedata

from callmissed.aws.attributes import Item
from callmissed.aws.database import Database
from callmissed.aws.operations import put_new_operation
from callmissed.clock import iso, month_of
from callmissed.errors import ApiError, invalid_request
from callmissed.ids import new_id
from callmissed.ledger.records import put_new_wallet
from callmissed.ledger.wallet import new_wallet
from callmissed.platform.tables import TENANTS
from callmissed.tenancy.plans import Plan

RECORD = "TENANT"
_LONGEST_NAME = 255


def checked_name(name: str) -> str:
    """A name that people give, to a tenant or a key, without the spaces around it. Raises ApiError 400."""
    name = name.strip()
    if not 1 <= len(name) <= _LONGEST_NAME or any(unicodedata.category(letter) in ("Cc", "Cs") for letter in name):
        raise invalid_request(f"A name has 1 to {_LONGEST_NAME} characters and no control characters.", "name")
    return name


async def create_tenant(database: Database, *, name: str, plan: Plan, now: int) -> Item:
    """A new tenant with an empty wallet, both or neither. Raises ApiError 400 for a bad name, Unavailable."""
    name = checked_name(name)
    tenant = new_id("tnt")
    record = {"tenant": tenant, "item": RECORD, "name": name, "plan": str(plan), "created_at": iso(now)}
    wallet = new_wallet(tenant, plan, month_of(now))
    await database.transact([put_new_operation(TENANTS, record), put_new_wallet(wallet)])
    return record


async def get_tenant(database: Database, tenant: str) -> Item:
    """The tenant's record. Raises ApiError 404, Unavailable."""
    record = await database.get(TENANTS, {"tenant": tenant, "item": RECORD}, consistent=False)
    if not record:
        raise ApiError(404, "not_found", "No such tenant.")
    return record


async def list_tenants(database: Database) -> list[Item]:
    """Records of all tenants, oldest first. Reads the whole table, so it is for operators only. Raises Unavailable."""
    records = [record async for record in database.scan(TENANTS, where={"item": RECORD})]
    return sorted(records, key=lambda record: (record["created_at"], record["tenant"]))
