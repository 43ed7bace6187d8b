"""A tenant's monthly budget, as its people read and change it."""

from callmissed.audit.events import Actor, AuditEvent, audit_operation
from callmissed.aws.attributes import Item
from callmissed.aws.database import Database
from callmissed.clock import Micros
from callmissed.ledger.budgets import set_budget
from callmissed.ledger.queries import Balance, balance
from callmissed.money import MicroCredits, show


class Budgets:
    """Reads and changes budgets. Every method raises Unavailable when DynamoDB does not answer."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, tenant: str, now: Micros) -> Balance:
        """The budget, and what is used of it. Raises ApiError 404."""
        return await balance(self._database, tenant, now)

    async def change(
        self,
        tenant: str,
        budget: MicroCredits | None,
        actor: Actor,
        now: Micros,
        *,
        alerts: bool = True,
        low_credits: int | None = None,
    ) -> Balance:
        """Set the budget, None for none, from the next call on. Raises ApiError 404."""
        before = await self.get(tenant, now)
        changes = {
            "before": _shown(before.budget, before.alerts, before.low_credits),
            "after": _shown(budget, alerts, low_credits),
        }
        event = AuditEvent(tenant, "budget.update", "budget", tenant, actor, changes)
        also = [audit_operation(event, now)]
        await set_budget(self._database, tenant, budget, alerts=alerts, low_credits=low_credits, also=also)
        return await self.get(tenant, now)


def _shown(budget: MicroCredits | None, alerts: bool, low_credits: int | None) -> Item:
    return {
        "monthly_budget_credits": None if budget is None else show(budget),
        "alerts_enabled": alerts,
        "low_credits_threshold": low_credits,
    }
