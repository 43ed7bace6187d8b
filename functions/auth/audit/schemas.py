"""API models of audit events; docs/api/openapi.json is made from them."""

from typing import Any, Self

from pydantic import BaseModel

from callmissed.audit.events import ActorKind, StoredEvent


class AuditEventOut(BaseModel):
    """Who changed what. `user_id` is null where no person acted."""

    id: str
    user_id: str | None
    actor_type: str
    actor_id: str
    action: str
    resource_type: str
    resource_id: str
    ip_address: str
    user_agent: str
    metadata: dict[str, Any]
    created_at: str

    @classmethod
    def of(cls, stored: StoredEvent) -> Self:
        """The event."""
        event, actor = stored.event, stored.event.actor
        return cls(
            id=stored.event_id,
            user_id=actor.actor_id or None if actor.kind is ActorKind.PERSON else None,
            actor_type=str(actor.kind),
            actor_id=actor.actor_id,
            action=event.action,
            resource_type=event.resource_type,
            resource_id=event.resource_id,
            ip_address=actor.ip_address,
            user_agent=actor.user_agent,
            metadata=dict(event.metadata),
            created_at=stored.created_at,
        )
