"""Tenants, keys, balances, entries and calls as the command line shows them. Money is text in credits."""

from callmissed.audit.events import StoredEvent
from callmissed.clock import iso
from callmissed.keys.records import ApiKey
from callmissed.ledger.entries import Account, LedgerEntry, Usage
from callmissed.ledger.queries import Balance
from callmissed.money import MicroCredits, show
from callmissed.tenants.tenants import Tenant
from callmissed.tenants.users import User
from cli.output import Row
from functions.auth.admin.schemas import KeyRow, TenantRow, UserRow
from functions.auth.audit.schemas import AuditEventOut

INPUT_UNITS = ("input_tokens", "cached_input_tokens", "cache_write_tokens")
"""Units of a call's ledger lines that make up its prompt."""

TENANTS = {"tenant_id": "tenant", "name": "name", "plan": "plan", "status": "status", "created_at": "created"}
USERS = {
    "id": "user",
    "email": "e-mail",
    "full_name": "name",
    "role": "role",
    "is_active": "active",
    "created_at": "created",
}
KEYS = {
    "id": "key",
    "name": "name",
    "masked": "secret",
    "mode": "mode",
    "status": "status",
    "rpm": "rpm",
    "budget": "budget",
    "expires_at": "expires",
    "permissions": "permissions",
    "models": "models",
    "domains": "domains",
}
ENTRIES = {
    "created_at": "time",
    "type": "type",
    "amount": "credits",
    "description": "description",
    "id": "entry",
    "reference": "reference",
}
CALLS = {
    "created_at": "time",
    "model": "model",
    "tokens_in": "in",
    "tokens_out": "out",
    "cost": "cost",
    "outcome": "outcome",
    "latency_ms": "ms",
    "id": "id",
    "provider": "provider",
}
CALL_WIDTHS = {
    "created_at": 20,
    "model": 12,
    "tokens_in": 6,
    "tokens_out": 6,
    "cost": 8,
    "outcome": 9,
    "latency_ms": 5,
    "id": 28,
    "provider": 10,
}
AUDIT_EVENTS = {
    "created_at": "time",
    "action": "action",
    "who": "who",
    "metadata": "details",
    "resource_id": "what",
    "ip_address": "from",
    "id": "event",
}
AUDIT_WIDTHS = {
    "created_at": 20,
    "action": 14,
    "who": 14,
    "metadata": 20,
    "resource_id": 28,
    "ip_address": 15,
    "id": 22,
}
WEBHOOKS = {
    "id": "webhook",
    "url": "URL",
    "status": "status",
    "events": "events",
    "failing_since": "failing since",
    "description": "description",
}
DELIVERIES = {
    "id": "delivery",
    "event": "event",
    "status": "status",
    "status_code": "HTTP",
    "attempts": "tries",
    "created_at": "time",
    "error": "error",
}


def tenant_row(tenant: Tenant) -> Row:
    """A tenant."""
    return TenantRow.of(tenant).model_dump()


def user_row(user: User) -> Row:
    """A person."""
    return UserRow.of(user).model_dump()


def key_row(record: ApiKey) -> Row:
    """A key without its secret."""
    return KeyRow.of(record).model_dump()


def balance_row(balance: Balance) -> Row:
    """A balance in credits; `spent` is this month's."""
    return {
        "tenant_id": balance.tenant,
        "plan": balance.plan,
        "status": balance.status,
        "available": show(balance.available),
        "held": show(balance.held),
        "month": f"{balance.month // 100}-{balance.month % 100:02}",
        "spent": show(balance.spent),
        "budget": _money(balance.budget),
        "budget_left": _money(balance.budget_left),
        "granted": show(balance.granted),
        "spent_ever": show(balance.spent_ever),
        "quotas_left": dict(balance.quotas_left),
    }


def entry_row(entry: LedgerEntry) -> Row:
    """A ledger entry; `amount` is negative where money leaves the tenant."""
    amount = entry.amount if entry.credit is Account.AVAILABLE else -entry.amount
    return {
        "id": entry.entry_id,
        "created_at": iso(entry.created),
        "type": str(entry.type),
        "amount": show(MicroCredits(amount)),
        "description": entry.description or (entry.usage.model if entry.usage else ""),
        "reference": entry.reference,
        "sandbox": entry.sandbox,
    }


def call_row(entry: LedgerEntry, usage: Usage) -> Row:
    """A call by its ledger entry."""
    units = usage.quantities
    return {
        "id": f"gen_{entry.entry_id}",
        "created_at": iso(entry.created),
        "model": usage.model,
        "provider": usage.provider,
        "tokens_in": sum(units.get(unit, 0) for unit in INPUT_UNITS),
        "tokens_out": units.get("output_tokens", 0),
        "tokens_estimated": usage.estimated,
        "cost": show(entry.amount),
        "latency_ms": usage.latency_ms,
        "outcome": str(usage.outcome),
        "streamed": usage.streamed,
        "sandbox": entry.sandbox,
        "key_id": usage.key_id,
    }


def audit_row(event: StoredEvent) -> Row:
    """An event of the audit log. `who` is an id, of an operator the end of the ARN."""
    return {**AuditEventOut.of(event).model_dump(), "who": event.event.actor.actor_id.rpartition("/")[2]}


def _money(amount: MicroCredits | None) -> str | None:
    return None if amount is None else show(amount)
