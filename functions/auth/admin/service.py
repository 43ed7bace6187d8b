"""Changes of tenants by operators, each with its event in the same transaction."""

from callmissed.audit.events import Actor, AuditEvent, audit_operation
from callmissed.aws.database import Database
from callmissed.clock import Micros, iso
from callmissed.errors import invalid_request
from callmissed.ids import new_id
from callmissed.ledger.entries import EntryType
from callmissed.ledger.grants import grant
from callmissed.ledger.queries import Balance, balance
from callmissed.ledger.returns import take_back
from callmissed.money import MicroCredits, show
from callmissed.plans.plans import Plan
from callmissed.tenants.tenants import Tenant, checked_name, create_tenant_operations, get_tenant


class Administration:
    """The tenants of one stage. Raises Unavailable when DynamoDB does not answer."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def tenant(self, tenant_id: str) -> Tenant:
        """The tenant. Raises ApiError 404."""
        return await get_tenant(self._database, tenant_id, consistent=True)

    async def create_tenant(self, name: str, plan: Plan, actor: Actor, now: Micros) -> Tenant:
        """A new tenant with an empty wallet. Raises ApiError 400 for a bad name."""
        tenant = Tenant(new_id("tnt"), checked_name(name), plan, iso(now))
        created = {"name": tenant.name, "plan": str(plan)}
        event = AuditEvent(tenant.tenant_id, "tenant.create", "tenant", tenant.tenant_id, actor, created)
        await self._database.transact([*create_tenant_operations(tenant, now), audit_operation(event, now)])
        return tenant

    async def grant(
        self, tenant: str, amount: MicroCredits, operation_id: str, actor: Actor, now: Micros, description: str = ""
    ) -> bool:
        """Add credits. False when `operation_id` was applied before. Raises ApiError 400 for nothing, 404."""
        if not amount:
            raise invalid_request("A grant adds more than nothing.", "credits")
        granted = {"amount": show(amount), "operation_id": operation_id, "description": description}
        event = AuditEvent(tenant, "credits.grant", "wallet", tenant, actor, granted)
        return await grant(
            self._database,
            tenant=tenant,
            amount=amount,
            operation_id=operation_id,
            now=now,
            description=description,
            also=[audit_operation(event, now)],
        )

    async def adjust(
        self, tenant: str, amount: MicroCredits, operation_id: str, actor: Actor, now: Micros, description: str = ""
    ) -> bool:
        """Add credits, or take them back where `amount` is below zero: what is spent already becomes a debt.

        False when `operation_id` was applied before. Raises ApiError 400 for nothing, 404.
        """
        if not amount:
            raise invalid_request("An adjustment adds or takes back more than nothing.", "credits")
        adjusted = {"amount": show(amount), "operation_id": operation_id, "description": description}
        event = AuditEvent(tenant, "credits.adjust", "wallet", tenant, actor, adjusted)
        return await (grant if amount > 0 else take_back)(
            self._database,
            tenant=tenant,
            amount=MicroCredits(abs(amount)),
            operation_id=operation_id,
            now=now,
            also=[audit_operation(event, now)],
            kind=EntryType.ADMIN,
            description=description,
        )

    async def balance(self, tenant: str, now: Micros) -> Balance:
        """The tenant's balance. Raises ApiError 404."""
        return await balance(self._database, tenant, now)

    async def available(self, tenant: str, now: Micros) -> MicroCredits:
        """What the tenant may spend. Raises ApiError 404."""
        return (await self.balance(tenant, now)).available
