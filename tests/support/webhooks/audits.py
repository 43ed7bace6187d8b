"""The audit log of webhooks: what a change is recorded with, and what was recorded."""

from typing import Any

from callmissed.audit.events import Actor, ActorKind, audit_operation, stored_event_of
from callmissed.aws.database import Database
from callmissed.aws.operations import WriteOperation
from callmissed.platform.tables import AUDIT
from functions.webhooks.storage.records import Webhook
from functions.webhooks.subscriptions.audit import described, webhook_event

BY_A_KEY = Actor(ActorKind.KEY, "key_of_tests")


def audit_of(webhook: Webhook) -> WriteOperation:
    """The record of some change of the webhook."""
    event = webhook_event("update", webhook.endpoint, BY_A_KEY, described(webhook))
    return audit_operation(event, webhook.created_at)


async def audited(database: Database, tenant: str) -> list[tuple[str, str, dict[str, Any]]]:
    """Action, id of the resource and metadata of each event of the tenant, oldest first."""
    stored = [stored_event_of(item) async for item in database.query(AUDIT, tenant, consistent=True)]
    return [(each.event.action, each.event.resource_id, dict(each.event.metadata)) for each in stored]
