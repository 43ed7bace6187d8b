"""Whether a tenant is served: suspended and reactivated by operators, deactivated and reactivated by its owner.

    1. one transaction    the record, the first wallet, the mark of the webhooks, the audit event
    2. further wallets    one transaction
    3. API keys           one transaction a key (functions.auth.tenant.key_status)

After 1 no person, no hold on an unsharded wallet and no delivery passes, and no key can be made or rotated; after 3 no
call of any key. A process that dies after 1 leaves keys as they were: the same request again does what is left, and
nothing twice. Steps 2 and 3 hold only while the record has the status that 1 gave it, so of changes at once the
last one wins, and the others fail with 409.
"""

from dataclasses import dataclass

from callmissed.audit.events import Actor, AuditEvent, audit_operation
from callmissed.aws.comparisons import one_of
from callmissed.aws.database import Database
from callmissed.aws.dynamodb import TransactionCanceled
from callmissed.clock import Micros
from callmissed.errors import ApiError, account_closed
from callmissed.ledger.records import status_operation
from callmissed.ledger.shards import apply_status as apply_to_wallets
from callmissed.tenants.status import TenantStatus, mark_webhooks
from callmissed.tenants.tenants import Tenant, change_status, get_tenant, require_status
from functions.auth.tenant.key_status import apply_status as apply_to_keys
from functions.auth.tenant.key_status import status_changed

_ACTIVE, _SUSPENDED, _DEACTIVATED = TenantStatus.ACTIVE, TenantStatus.SUSPENDED, TenantStatus.DEACTIVATED


@dataclass(frozen=True, slots=True)
class _Change:
    action: str
    after: TenantStatus
    before: frozenset[TenantStatus]


_SUSPEND = _Change("tenant.suspend", _SUSPENDED, frozenset({_ACTIVE, _DEACTIVATED}))
_RESTORE = _Change("tenant.reactivate", _ACTIVE, frozenset({_SUSPENDED, _DEACTIVATED}))
_DEACTIVATE = _Change("tenant.deactivate", _DEACTIVATED, frozenset({_ACTIVE}))
_REACTIVATE = _Change("tenant.reactivate", _ACTIVE, frozenset({_DEACTIVATED}))


class Suspensions:
    """Changes the status of tenants. Every method returns the tenant, and raises ApiError 404, 409 and Unavailable.

    A repeated change completes the first one.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def suspend(self, tenant_id: str, operator: Actor, now: Micros) -> Tenant:
        """Stop a tenant: only an operator starts it again."""
        return await self._change(tenant_id, _SUSPEND, operator, now)

    async def restore(self, tenant_id: str, operator: Actor, now: Micros) -> Tenant:
        """Start a suspended or deactivated tenant again, with the keys that were active."""
        return await self._change(tenant_id, _RESTORE, operator, now)

    async def deactivate(self, tenant_id: str, owner: Actor, now: Micros) -> Tenant:
        """Stop the acting owner's tenant. Raises ApiError 403 too, for a tenant that is suspended."""
        return await self._change(tenant_id, _DEACTIVATE, owner, now, owner=owner.actor_id)

    async def reactivate(self, tenant_id: str, owner: Actor, now: Micros) -> Tenant:
        """Start the acting owner's tenant again. Raises ApiError 403 too, for a tenant that is suspended."""
        return await self._change(tenant_id, _REACTIVATE, owner, now, owner=owner.actor_id)

    async def _change(
        self, tenant_id: str, change: _Change, actor: Actor, now: Micros, *, owner: str | None = None
    ) -> Tenant:
        tenant = await get_tenant(self._database, tenant_id, consistent=True)
        if owner is not None and tenant.owner != owner:
            raise ApiError(403, "permission_denied", "Requires role: owner")
        if tenant.status is not change.after:
            if tenant.status not in change.before:
                raise account_closed(tenant.status)
            await self._change_record(tenant, change, actor, now, owner)
        await self._complete(tenant_id, change.after)
        return await get_tenant(self._database, tenant_id, consistent=True)

    async def _change_record(
        self, tenant: Tenant, change: _Change, actor: Actor, now: Micros, owner: str | None
    ) -> None:
        metadata = {"before": str(tenant.status), "after": str(change.after)}
        event = AuditEvent(tenant.tenant_id, change.action, "tenant", tenant.tenant_id, actor, metadata)
        expected = {"status": one_of(*map(str, change.before))} | ({} if owner is None else {"owner": owner})
        operations = [
            change_status(tenant.tenant_id, change.after, expected),
            status_operation(tenant.tenant_id, str(change.after)),
            mark_webhooks(tenant.tenant_id, change.after),
            audit_operation(event, now),
        ]
        try:
            await self._database.transact(operations)
        except TransactionCanceled:
            raise status_changed() from None

    async def _complete(self, tenant_id: str, status: TenantStatus) -> None:
        try:
            await apply_to_wallets(self._database, tenant_id, str(status), require_status(tenant_id, status))
        except TransactionCanceled:
            raise status_changed() from None
        await apply_to_keys(self._database, tenant_id, status)
