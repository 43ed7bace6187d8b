"""Changes of keys as the audit log has them."""

from collections.abc import Mapping, Sequence
from typing import Any

from callmissed.audit.events import Actor, AuditEvent, audit_operation
from callmissed.aws.operations import WriteOperation
from callmissed.clock import Micros
from callmissed.keys.management import Audit
from callmissed.keys.records import ApiKey
from callmissed.money import show


def key_audit(action: str, actor: Actor, now: Micros, **metadata: Any) -> Audit:
    """Records `action` with the fields that it changes, before and after, and `metadata`."""

    def operations(before: ApiKey | None, after: ApiKey) -> Sequence[WriteOperation]:
        changes = _changes(_described(before) if before else {}, _described(after))
        event = AuditEvent(after.tenant, action, "key", after.key_id, actor, {**metadata, **changes})
        return [audit_operation(event, now)]

    return operations


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    changed = [name for name, value in after.items() if name not in before or before[name] != value]
    earlier = {"before": {name: before[name] for name in changed}} if before else {}
    return {**earlier, "after": {name: after[name] for name in changed}} if changed else {}


def _described(key: ApiKey) -> Mapping[str, Any]:
    """What people may change of a key, and its masked secret; `budget_limit` as text, which is exact."""
    return {
        "name": key.name,
        "mode": key.mode,
        "masked": key.masked,
        "status": key.status,
        "permissions": ",".join(key.permissions),
        "scopes": ",".join(key.scopes),
        "allowed_domains": ",".join(sorted(key.domains)),
        "allowed_models": ",".join(key.models),
        "allowed_search_providers": ",".join(key.search_providers),
        "rate_limit_rpm": key.rpm,
        "budget_limit": None if key.budget is None else show(key.budget),
        "logs_enabled": key.logs_enabled,
        "prompt_logging_enabled": key.prompt_logging_enabled,
        "expires_at": key.expires_at,
    }
