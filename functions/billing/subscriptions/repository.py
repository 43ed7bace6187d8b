"""Subscriptions in DynamoDB. Every method raises Unavailable when DynamoDB does not answer."""

from collections.abc import AsyncIterator

from callmissed.aws.comparisons import at_most
from callmissed.aws.database import Database
from callmissed.aws.operations import WriteOperation, check_operation, put_new_operation, put_operation
from callmissed.clock import Micros, iso, micros_of
from callmissed.platform.tables import BILLING, BILLING_DUE
from callmissed.tenants.tenants import get_tenant
from functions.billing.subscriptions.records import (
    DUE_SHARDS,
    Subscription,
    subscription_key,
    subscription_of,
    to_subscription_record,
)
from functions.billing.subscriptions.transitions import next_transition


class SubscriptionRecords:
    """The subscriptions of one stage."""

    def __init__(self, database: Database) -> None:
        self.database = database

    async def get(self, tenant: str) -> Subscription:
        """The tenant's subscription, strongly consistent; without one, that of its record. Raises ApiError 404."""
        item = await self.database.get(BILLING, subscription_key(tenant))
        if item:
            return subscription_of(item)
        record = await get_tenant(self.database, tenant, consistent=True)
        return Subscription(tenant, record.plan, micros_of(record.created_at), had=frozenset({str(record.plan)}))

    async def due(self, now: Micros) -> AsyncIterator[str]:
        """The tenants whose subscription is due at `now`, eventually consistent."""
        for shard in DUE_SHARDS:
            async for key in self.database.query(BILLING, shard, index=BILLING_DUE, sort=at_most(iso(now))):
                yield key["id"]


def write_operation(after: Subscription, now: Micros) -> WriteOperation:
    """Write a subscription, if it is the next one after the stored. It stays due while one more change is."""
    due = now if next_transition(after, now) else after.due_after(now)
    record = to_subscription_record(after, due)
    if after.revision == 1:
        return put_new_operation(BILLING, record)
    return put_operation(BILLING, record, expected={"revision": after.revision - 1})


def unchanged_operation(subscription: Subscription) -> WriteOperation:
    """Fail the transaction unless the stored subscription is this one."""
    return check_operation(BILLING, subscription_key(subscription.tenant), expected={"revision": subscription.revision})
