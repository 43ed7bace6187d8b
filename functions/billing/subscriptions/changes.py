"""The change of a tenant's plan everywhere that the plan is written.

    1. one transaction   record and wallets: plan, this month's calls left, credits of shards that the plan has not
    2. API keys          one transaction a key: rate and models (functions.billing.subscriptions.key_plans)
    3. one write         the subscription is no longer pending

The subscription says which plan, and each step is made on the condition that the subscription is as it was read. So a
change that was interrupted goes on from the record, by the sweep or by whoever reads the subscription next; one that
was overtaken by another change stops; and nothing is done twice. A call that is admitted meanwhile has the limits of
either plan.
"""

import asyncio
import random
from collections.abc import Sequence

from callmissed.aws.dynamodb import TransactionCanceled, Unavailable
from callmissed.aws.operations import WriteOperation
from callmissed.clock import Clock
from callmissed.ledger.shards import change_plan as change_plan_of_wallets
from callmissed.plans.plans import Plan
from callmissed.tenants.tenants import change_plan
from functions.billing.subscriptions.key_plans import changed_keys, key_operations
from functions.billing.subscriptions.records import Subscription, next_revision
from functions.billing.subscriptions.repository import SubscriptionRecords, unchanged_operation, write_operation

_TRIES = 20
_FAILED = "ConditionalCheckFailed"


class OvertakenError(Exception):
    """The subscription has changed: another run is at work, or another plan is to be applied."""


class PlanChanges:
    """Applies the plans of one stage's subscriptions."""

    def __init__(self, records: SubscriptionRecords, clock: Clock) -> None:
        self._records = records
        self._database = records.database
        self._clock = clock

    async def apply(self, subscription: Subscription) -> None:
        """Write the plan of a pending subscription everywhere. Safe to repeat.

        Raises OvertakenError, ApiError 404 for a tenant that is gone, Unavailable.
        """
        await self._record_and_wallets(subscription)
        for key_id in await changed_keys(self._database, subscription.tenant):
            await self._key(subscription, key_id)
        done = next_revision(subscription, pending=False)
        if not await self._database.write_if(write_operation(done, self._clock())):
            raise OvertakenError

    async def _record_and_wallets(self, subscription: Subscription) -> None:
        tenant, plan = subscription.tenant, subscription.plan
        also = [unchanged_operation(subscription), change_plan(tenant, plan)]
        try:
            await change_plan_of_wallets(self._database, tenant, plan, self._clock(), also)
        except TransactionCanceled:
            raise OvertakenError from None

    async def _key(self, subscription: Subscription, key_id: str) -> None:
        for attempt in range(_TRIES):
            operations = await key_operations(
                self._database, subscription.tenant, key_id, Plan(subscription.plan), self._clock()
            )
            if operations is not None and (not operations or await self._written(subscription, operations, attempt)):
                return
        raise Unavailable("a key kept changing", indeterminate=False)

    async def _written(self, subscription: Subscription, changes: Sequence[WriteOperation], attempt: int) -> bool:
        """Execute a step; False after a concurrent change of what it changes."""
        try:
            await self._database.transact([unchanged_operation(subscription), *changes])
        except TransactionCanceled as canceled:
            if canceled.reasons[0] == _FAILED:
                raise OvertakenError from None
            await asyncio.sleep(random.uniform(0, 0.01 * attempt))  # noqa: S311
            return False
        return True
