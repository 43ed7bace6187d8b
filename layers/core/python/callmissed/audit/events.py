"""Audit events, written in the transaction of the change that they describe.

    await database.transact([change, audit_operation(event, now)])

Functions may put events and read them, but neither change nor delete one; DynamoDB removes them after 90 days.
"""

import itertools
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from callmissed.aws.attributes import Item
from callmissed.aws.operations import WriteOperation, put_new_operation
from callmissed.clock import SECOND, Micros, iso
from callmissed.ids import sortable_id
from callmissed.platform.tables import AUDIT

RETENTION_DAYS = 90

PLATFORM = "@platform"
"""Tenant of events that are no tenant's."""

_DAY_SECONDS = 24 * 3600
_numbers = itertools.count()


class ActorKind(StrEnum):
    """Who acts."""

    PERSON = "person"
    KEY = "key"
    OPERATOR = "operator"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts, and from where. `actor_id` is a user's id, a key's, or an operator's ARN; operators give a `reason`."""

    kind: ActorKind
    actor_id: str
    ip_address: str = ""
    user_agent: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """One change. `metadata` says what it changed, before and after, without secrets."""

    tenant: str
    action: str
    resource_type: str
    resource_id: str
    actor: Actor
    metadata: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event with its id, which sorts by time, and its moment in ISO 8601."""

    event_id: str
    created_at: str
    event: AuditEvent


def audit_operation(event: AuditEvent, now: Micros, *, kept_days: int = RETENTION_DAYS) -> WriteOperation:
    """Write `event`, as of `now`, to be kept for `kept_days`. Events of one process and moment keep their order."""
    item = {
        "tenant": event.tenant,
        "event": sortable_id(now, _order_bits(now)),
        "created_at": iso(now),
        "action": event.action,
        "resource_type": event.resource_type,
        "resource_id": event.resource_id,
        "actor_kind": str(event.actor.kind),
        "actor_id": event.actor.actor_id,
        "ip_address": event.actor.ip_address,
        "user_agent": event.actor.user_agent[:MAX_USER_AGENT],
        "metadata": {**event.metadata, **({"reason": event.actor.reason} if event.actor.reason else {})},
        "ttl": now // SECOND + (kept_days + 1) * _DAY_SECONDS,
    }
    return put_new_operation(AUDIT, item)


def _order_bits(now: Micros) -> int:
    """60 bits: the microseconds of the millisecond, the number of the event in this process, randomness."""
    return (now % 1000) << 50 | (next(_numbers) & 0x3FFF) << 36 | secrets.randbits(36)


MAX_USER_AGENT = 512


def stored_event_of(item: Item) -> StoredEvent:
    """The event of an item."""
    actor = Actor(ActorKind(item["actor_kind"]), item["actor_id"], item["ip_address"], item["user_agent"])
    event = AuditEvent(
        item["tenant"], item["action"], item["resource_type"], item["resource_id"], actor, item["metadata"]
    )
    return StoredEvent(item["event"], item["created_at"], event)
