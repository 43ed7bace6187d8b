"""Audit events of webhooks. They name no secret: no values of headers, and no queries of URLs, which may be tokens."""

from collections.abc import Mapping
from typing import Any

from callmissed.audit.events import Actor, AuditEvent
from functions.webhooks.storage.records import Endpoint, Webhook


def webhook_event(action: str, endpoint: Endpoint, actor: Actor, metadata: Mapping[str, Any]) -> AuditEvent:
    """What `actor` did to the webhook."""
    return AuditEvent(endpoint.tenant, f"webhook.{action}", "webhook", endpoint.webhook, actor, metadata)


def described(webhook: Webhook) -> dict[str, Any]:
    """What an event says of a webhook."""
    return {
        "url": webhook.url.partition("?")[0],
        "events": list(webhook.events),
        "description": webhook.description,
        "headers": sorted(webhook.headers),
        "is_active": webhook.active,
        "bot_id": webhook.bot_id,
    }


def difference(before: Webhook, after: Webhook) -> dict[str, Any]:
    """What a change changed, before and after it."""
    old, new = described(before), described(after)
    changed = [name for name in old if old[name] != new[name]]
    return {"before": {name: old[name] for name in changed}, "after": {name: new[name] for name in changed}}
