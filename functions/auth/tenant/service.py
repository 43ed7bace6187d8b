"""The tenant of signed-in people: name and settings, and what it has done so far."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from callmissed.audit.events import Actor, AuditEvent, audit_operation
from callmissed.aws.attributes import to_item
from callmissed.aws.database import Database
from callmissed.aws.dynamodb import TransactionCanceled
from callmissed.clock import Micros
from callmissed.errors import ApiError
from callmissed.keys.records import read_api_keys
from callmissed.ledger.queries import newest_entries
from callmissed.tenants.tenants import Tenant, change_tenant, current_values, get_tenant

_TRIES = 5


@dataclass(frozen=True, slots=True)
class Onboarding:
    """What a tenant has done so far."""

    has_key: bool
    has_called: bool
    has_invited: bool


class Tenants:
    """Reads and changes tenants. Every method raises Unavailable when DynamoDB does not answer."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, tenant_id: str) -> Tenant:
        """The tenant. Raises ApiError 404."""
        return await get_tenant(self._database, tenant_id, consistent=True)

    async def change(self, tenant_id: str, changes: Mapping[str, Any], actor: Actor, now: Micros) -> Tenant:
        """Change name or settings, and nothing else. Raises ApiError 404, 409."""
        for _ in range(_TRIES):
            tenant = await self.get(tenant_id)
            before = current_values(tenant, changes)
            if to_item(before) == to_item(changes):  # as they are stored: in Python, true equals 1
                return tenant
            metadata = {"before": before, "after": dict(changes)}
            event = AuditEvent(tenant_id, "tenant.update", "tenant", tenant_id, actor, metadata)
            try:
                await self._database.transact([change_tenant(tenant, changes), audit_operation(event, now)])
            except TransactionCanceled:
                continue
            return await self.get(tenant_id)
        raise ApiError(409, "conflict", "The tenant changed at the same time. Please retry.")

    async def onboarding(self, tenant_id: str) -> Onboarding:
        """What the tenant has done so far. Three reads. Raises ApiError 404."""
        tenant = await self.get(tenant_id)
        keys = await read_api_keys(self._database, tenant_id)
        calls = await newest_entries(self._database, tenant_id, limit=1, calls_only=True)
        return Onboarding(bool(keys), bool(calls), tenant.seats > 1)
