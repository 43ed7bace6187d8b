"""Audit events of WhatsApp numbers."""

from collections.abc import Mapping
from typing import Any

from callmissed.audit.events import Actor, AuditEvent
from functions.bots.numbers.records import PhoneNumber


def number_event(action: str, number: PhoneNumber, actor: Actor, metadata: Mapping[str, Any]) -> AuditEvent:
    """What `actor` did to the number."""
    named = {"phone_number_id": number.number_id, **metadata}
    return AuditEvent(number.tenant, f"whatsapp.number.{action}", "phone_number", number.id, actor, named)
