"""Tenants: their records, and their creation with a wallet."""

import unicodedata
from dataclasses import dataclass

from callmissed.aws.attributes import Item
from callmissed.aws.database import Database
from callmissed.aws.operations import put_new_operation
from callmissed.clock import Micros, iso, month_of
from callmissed.errors import ApiError, invalid_request
from callmissed.ids import new_id
from callmissed.ledger.records import put_new_wallet
from callmissed.ledger.wallet import new_wallet
from callmissed.plans.plans import Plan
from callmissed.platform.tables import TENANTS

_RECORD = "TENANT"
_MAX_NAME = 255


@dataclass(frozen=True, slots=True)
class Tenant:
    """Record of an organisation. `created_at` is ISO 8601."""

    tenant_id: str
    name: str
    plan: Plan
    created_at: str


def checked_name(name: str) -> str:
    """A valid name of a tenant or a key, without the spaces around it. Raises ApiError 400."""
    name = name.strip()
    if not 1 <= len(name) <= _MAX_NAME or any(unicodedata.category(letter) in ("Cc", "Cs") for letter in name):
        raise invalid_request(f"A name has 1 to {_MAX_NAME} characters and no control characters.", "name")
    return name


async def create_tenant(database: Database, *, name: str, plan: Plan, now: Micros) -> Tenant:
    """A new tenant with an empty wallet, in one transaction. Raises ApiError 400 for a bad name, Unavailable."""
    name = checked_name(name)
    tenant = Tenant(new_id("tnt"), name, plan, iso(now))
    wallet = new_wallet(tenant.tenant_id, plan, month_of(now))
    await database.transact([put_new_operation(TENANTS, _to_record(tenant)), put_new_wallet(wallet)])
    return tenant


async def get_tenant(database: Database, tenant_id: str, *, consistent: bool = False) -> Tenant:
    """The tenant. Raises ApiError 404, Unavailable."""
    record = await database.get(TENANTS, {"tenant": tenant_id, "item": _RECORD}, consistent=consistent)
    if not record:
        raise ApiError(404, "not_found", "No such tenant.")
    return _tenant_of(record)


async def list_tenants(database: Database) -> list[Tenant]:
    """All tenants, oldest first. Reads the whole table, so it is for operators only. Raises Unavailable."""
    tenants = [_tenant_of(record) async for record in database.scan(TENANTS, where={"item": _RECORD})]
    return sorted(tenants, key=lambda tenant: (tenant.created_at, tenant.tenant_id))


def _to_record(tenant: Tenant) -> Item:
    return {
        "tenant": tenant.tenant_id,
        "item": _RECORD,
        "name": tenant.name,
        "plan": str(tenant.plan),
        "created_at": tenant.created_at,
    }


def _tenant_of(record: Item) -> Tenant:
    return Tenant(record["tenant"], record["name"], Plan(record["plan"]), record["created_at"])
