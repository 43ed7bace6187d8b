"""Tenants: their records, and their creation with a wallet."""

import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum

from callmissed.aws.attributes import Item
from callmissed.aws.database import Database
from callmissed.aws.operations import WriteOperation, put_new_operation
from callmissed.clock import Micros, iso, month_of
from callmissed.errors import ApiError, invalid_request
from callmissed.ids import new_id
from callmissed.ledger.records import put_new_wallet
from callmissed.ledger.wallet import new_wallet
from callmissed.money import NOTHING, MicroCredits
from callmissed.plans.plans import Plan
from callmissed.platform.tables import TENANTS

_RECORD = "TENANT"
_MAX_NAME = 255


class TenantStatus(StrEnum):
    """What a tenant may do. An operator suspends; the owner deactivates, and may reactivate."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    DEACTIVATED = "deactivated"
    DELETING = "deleting"


@dataclass(frozen=True, slots=True)
class Tenant:
    """Record of an organisation. `created_at` is ISO 8601; `owner` is the owner's user id, empty without people."""

    tenant_id: str
    name: str
    plan: Plan
    created_at: str
    owner: str = ""
    status: TenantStatus = TenantStatus.ACTIVE

    @property
    def is_active(self) -> bool:
        """Whether calls of the tenant are served."""
        return self.status is TenantStatus.ACTIVE

    @property
    def slug(self) -> str:
        """The name as it may stand in a URL, unique by the end of the id."""
        words = re.sub(r"[^a-z0-9]+", "-", self.name.lower()).strip("-")
        return f"{words}-{self.tenant_id[-6:]}".lstrip("-")


def checked_name(name: str) -> str:
    """A valid name of a tenant or a key, without the spaces around it. Raises ApiError 400."""
    name = name.strip()
    if not 1 <= len(name) <= _MAX_NAME or any(unicodedata.category(letter) in ("Cc", "Cs") for letter in name):
        raise invalid_request(f"A name has 1 to {_MAX_NAME} characters and no control characters.", "name")
    return name


async def create_tenant(database: Database, *, name: str, plan: Plan, now: Micros) -> Tenant:
    """A new tenant with an empty wallet, in one transaction. Raises ApiError 400 for a bad name, Unavailable."""
    tenant = Tenant(new_id("tnt"), checked_name(name), plan, iso(now))
    await database.transact(create_tenant_operations(tenant, now))
    return tenant


def create_tenant_operations(tenant: Tenant, now: Micros, *, granted: MicroCredits = NOTHING) -> list[WriteOperation]:
    """Create the tenant with a wallet, unless it exists. Credits `granted` need an entry in the same transaction."""
    wallet = new_wallet(tenant.tenant_id, tenant.plan, month_of(now), granted=granted)
    return [put_new_operation(TENANTS, _to_record(tenant)), put_new_wallet(wallet)]


async def get_tenant(database: Database, tenant_id: str, *, consistent: bool = False) -> Tenant:
    """The tenant. Raises ApiError 404, Unavailable."""
    record = await database.get(TENANTS, tenant_key(tenant_id), consistent=consistent)
    if not record:
        raise ApiError(404, "not_found", "No such tenant.")
    return tenant_of(record)


async def list_tenants(database: Database) -> list[Tenant]:
    """All tenants, oldest first. Reads the whole table, so it is for operators only. Raises Unavailable."""
    tenants = [tenant_of(record) async for record in database.scan(TENANTS, where={"item": _RECORD})]
    return sorted(tenants, key=lambda tenant: (tenant.created_at, tenant.tenant_id))


def tenant_key(tenant_id: str) -> Item:
    """Key of a tenant's record."""
    return {"tenant": tenant_id, "item": _RECORD}


def _to_record(tenant: Tenant) -> Item:
    return {
        **tenant_key(tenant.tenant_id),
        "name": tenant.name,
        "plan": str(tenant.plan),
        "created_at": tenant.created_at,
        "owner": tenant.owner,
        "status": str(tenant.status),
    }


def tenant_of(record: Item) -> Tenant:
    """The tenant of its record."""
    status = TenantStatus(record.get("status", TenantStatus.ACTIVE))
    owner = record.get("owner", "")
    return Tenant(record["tenant"], record["name"], Plan(record["plan"]), record["created_at"], owner, status)
