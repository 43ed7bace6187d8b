"""Tenants: their records, and their creation with a wallet.

`seats` counts the people of the tenant, those who are deactivated included; it changes in the transaction that adds or
removes a person, as does `owner` in the one that changes the owner's role.
"""

import re
import unicodedata
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields, replace

from callmissed.aws.attributes import Item, Value
from callmissed.aws.comparisons import Comparison, below
from callmissed.aws.database import Database
from callmissed.aws.operations import WriteOperation, check_operation, put_new_operation, update_operation
from callmissed.clock import Micros, iso, month_of
from callmissed.errors import ApiError, invalid_request
from callmissed.ids import new_id
from callmissed.ledger.records import put_new_wallet
from callmissed.ledger.wallet import new_wallet
from callmissed.money import NOTHING, MicroCredits
from callmissed.plans.plans import Plan
from callmissed.platform.tables import TENANTS
from callmissed.tenants.status import TenantStatus

_RECORD = "TENANT"
_MAX_NAME = 255


PROMPT_LOG_DAYS = 30
"""How long prompt logs are kept where the tenant has not said otherwise."""


@dataclass(frozen=True, slots=True)
class TenantSettings:
    """What a tenant's people set for all of them. Days of retention; None keeps conversations as long as the account.

    `preferences` are the console's: short texts, numbers and switches under names of its own.
    """

    preferences: Mapping[str, Value] = field(default_factory=dict[str, Value])
    default_search_provider: str | None = None
    prompt_log_retention_days: int = PROMPT_LOG_DAYS
    conversation_retention_days: int | None = None


@dataclass(frozen=True, slots=True)
class Tenant:
    """Record of an organisation. `created_at` is ISO 8601; `owner` is the owner's user id, empty without people."""

    tenant_id: str
    name: str
    plan: Plan
    created_at: str
    owner: str = ""
    status: TenantStatus = TenantStatus.ACTIVE
    seats: int = 0
    settings: TenantSettings = TenantSettings()

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


def create_tenant_operations(tenant: Tenant, now: Micros, *, bonus: MicroCredits = NOTHING) -> list[WriteOperation]:
    """Create the tenant with a wallet, unless it exists. A sign-up `bonus` needs an entry in the same transaction."""
    wallet = new_wallet(tenant.tenant_id, tenant.plan, month_of(now), bonus=bonus)
    with_owner = replace(tenant, seats=1) if tenant.owner else tenant
    return [put_new_operation(TENANTS, _to_record(with_owner)), put_new_wallet(wallet)]


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


def require_active(tenant_id: str, plan: Plan | None = None) -> WriteOperation:
    """Fail the transaction unless the tenant is active: for whatever must not come to be while it is suspended.

    With a `plan`, fail it too unless that is the tenant's: for whatever copies the plan.
    """
    expected = {**_ACTIVE, **({"plan": str(plan)} if plan else {})}
    return check_operation(TENANTS, tenant_key(tenant_id), expected=expected)


def require_status(tenant_id: str, status: TenantStatus) -> WriteOperation:
    """Fail the transaction unless the tenant has this status."""
    return check_operation(TENANTS, tenant_key(tenant_id), expected={"status": str(status)})


def change_status(tenant_id: str, status: TenantStatus, expected: Mapping[str, Value | Comparison]) -> WriteOperation:
    """Change the status of a tenant whose record is as `expected`."""
    return update_operation(TENANTS, tenant_key(tenant_id), set={"status": str(status)}, expected=expected)


def change_plan(tenant_id: str, plan: Plan) -> WriteOperation:
    """Name the plan in the tenant's record."""
    return update_operation(TENANTS, tenant_key(tenant_id), set={"plan": str(plan)})


def take_seat(tenant_id: str, max_seats: int) -> WriteOperation:
    """Count one more person, if the tenant is active and has fewer than `max_seats`."""
    expected = {**_ACTIVE, "seats": below(max_seats)}
    return update_operation(TENANTS, tenant_key(tenant_id), add={"seats": 1}, expected=expected)


def take_owners_seat(tenant_id: str, user_id: str) -> WriteOperation:
    """Count the first owner of a tenant that has none."""
    expected = {**_ACTIVE, "owner": ""}
    return update_operation(TENANTS, tenant_key(tenant_id), set={"owner": user_id}, add={"seats": 1}, expected=expected)


def leave_seat(tenant_id: str) -> WriteOperation:
    """Count one person less."""
    return update_operation(TENANTS, tenant_key(tenant_id), add={"seats": -1})


def change_owner(tenant_id: str, before: str, after: str) -> WriteOperation:
    """Name another owner, if the tenant is active and `before` still owns it."""
    expected = {**_ACTIVE, "owner": before}
    return update_operation(TENANTS, tenant_key(tenant_id), set={"owner": after}, expected=expected)


def current_values(tenant: Tenant, names: Collection[str]) -> Item:
    """The tenant's name or settings of these names."""
    record = _to_record(tenant)
    return {name: record[name] for name in names}


def change_tenant(tenant: Tenant, changes: Mapping[str, Value]) -> WriteOperation:
    """Change name or settings, if they are still those of `tenant`."""
    expected = current_values(tenant, changes)
    return update_operation(TENANTS, tenant_key(tenant.tenant_id), set=changes, expected=expected)


_ACTIVE: Item = {"status": str(TenantStatus.ACTIVE)}
_SETTINGS = tuple(each.name for each in fields(TenantSettings))


def _to_record(tenant: Tenant) -> Item:
    return {
        **tenant_key(tenant.tenant_id),
        "name": tenant.name,
        "plan": str(tenant.plan),
        "created_at": tenant.created_at,
        "owner": tenant.owner,
        "status": str(tenant.status),
        "seats": tenant.seats,
        **{name: getattr(tenant.settings, name) for name in _SETTINGS},
    }


def tenant_of(record: Item) -> Tenant:
    """The tenant of its record."""
    return Tenant(
        tenant_id=record["tenant"],
        name=record["name"],
        plan=Plan(record["plan"]),
        created_at=record["created_at"],
        owner=record["owner"],
        status=TenantStatus(record["status"]),
        seats=record["seats"],
        settings=TenantSettings(**{name: record[name] for name in _SETTINGS}),
    )
