"""The policy of a key: permissions, rate, expiry, budget and what is logged."""

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import Any

from callmissed.clock import SECOND, Micros, iso, micros_of, month_of
from callmissed.errors import invalid_request
from callmissed.keys.domains import lockable
from callmissed.keys.rates import interval_of, tolerance_of
from callmissed.keys.records import ACTIVE, ApiKey, KeyItem
from callmissed.keys.secret import Mode
from callmissed.ledger.wallet import NO_BUDGET
from callmissed.money import MicroCredits
from callmissed.plans.plans import limits
from callmissed.platform.routes import Permission

ANY = frozenset({"*"})
NEVER = Micros(10**18)
"""Expiry of a key without one: later than any clock."""
_END_OF_DATES = Micros(253_402_300_800 * SECOND)
"""The first moment of the year 10000, which a date with a time zone of its own can reach."""

PERMISSIONS = frozenset(map(str, Permission))
SCOPES = frozenset(
    {
        "bots:read",
        "bots:write",
        "conversations:read",
        "conversations:write",
        "knowledge:read",
        "knowledge:write",
        "webhooks:write",
        "whatsapp:read",
        "whatsapp:write",
        "whatsapp:send",
    }
)
SEARCH_PROVIDERS = frozenset({"exa", "firecrawl", "google", "serper"})
MAX_RPM = 60_000
MAX_NAMES = 50
"""Maximum domain locks, and models, of one key: every lock takes an operation of one transaction, every name space in
the hot item."""

_MAX_NAME_LENGTH = 128


@dataclass(frozen=True, slots=True)
class KeyPolicy:
    """Policy of a key. `budget` is micro-credits a month, `expires` epoch microseconds, no `rpm` means the plan's.

    `logs_enabled` is about calls, `prompt_logging_enabled` about what they say.
    """

    permissions: frozenset[str] = ANY
    scopes: frozenset[str] = field(default_factory=frozenset[str])
    domains: frozenset[str] = ANY
    models: frozenset[str] = ANY
    search_providers: frozenset[str] = ANY
    rpm: int | None = None
    budget: MicroCredits | None = None
    expires: Micros = NEVER
    logs_enabled: bool = False
    prompt_logging_enabled: bool = False


def checked(policy: KeyPolicy) -> KeyPolicy:
    """`policy` as it is stored: an asterisk stands alone, domain locks are canonical.

    Raises ApiError 400, whose `param` names the field, for a value that is not allowed.
    """
    _require_known("permission", policy.permissions, PERMISSIONS, "permissions")
    _require_known("scope", policy.scopes or ANY, SCOPES, "scopes")
    _require_names("allowed_models", policy.models)
    _require_known("search provider", policy.search_providers, SEARCH_PROVIDERS, "allowed_search_providers")
    _require_count("allowed_domains", policy.domains)
    if policy.rpm is not None and not 1 <= policy.rpm <= MAX_RPM:
        raise invalid_request(f"A rate limit is 1 to {MAX_RPM} requests a minute.", "rate_limit_rpm")
    if policy.budget is not None and not 0 <= policy.budget < NO_BUDGET:
        raise invalid_request("A budget is at least 0 credits and less than a trillion.", "budget_limit")
    return replace(
        policy,
        permissions=_simplified(policy.permissions),
        scopes=_simplified(policy.scopes),
        domains=policy.domains if policy.domains == ANY else frozenset(map(lockable, policy.domains)),
        models=_simplified(policy.models),
        search_providers=_simplified(policy.search_providers),
    )


def check_expiry(expires: Micros, now: Micros) -> None:
    """Raises ApiError 400 for a moment that is not later than `now`, or that no date has."""
    if expires <= now:
        raise invalid_request("The expiry lies in the past.", "expires_at")
    if _END_OF_DATES <= expires < NEVER:
        raise invalid_request("The expiry is at most at the end of the year 9999 (UTC).", "expires_at")


def new_key_item(
    *, key_hash: str, key_id: str, tenant: str, plan: str, mode: Mode, policy: KeyPolicy, now: Micros
) -> KeyItem:
    """The hot item of a new key's first secret."""
    fields = item_fields(policy, plan)
    budget = NO_BUDGET if policy.budget is None else policy.budget
    return KeyItem(
        key_hash=key_hash,
        key_id=key_id,
        tenant=tenant,
        plan=plan,
        status=ACTIVE,
        mode=str(mode),
        expires=policy.expires,
        budget=budget,
        budget_left=budget,
        month=month_of(now),
        interval=interval_of(fields["rpm"]),
        delay=interval_of(fields["rpm"]) - tolerance_of(fields["rpm"]),
        arrival=Micros(0),
        conforms_at=Micros(0),
        **fields,
    )


def item_fields(policy: KeyPolicy, plan: str) -> dict[str, Any]:
    """Fields of hot items that are the same for all secrets of a key with `policy`, and that no call changes."""
    return {
        "permissions": policy.permissions,
        "scopes": policy.scopes,
        "domains": policy.domains,
        "models": policy.models,
        "search_providers": policy.search_providers,
        "rpm": limits(plan).default_rpm if policy.rpm is None else policy.rpm,
        "logs_enabled": policy.logs_enabled,
        "prompt_logging_enabled": policy.prompt_logging_enabled,
    }


def new_api_key(item: KeyItem, *, name: str, masked: str, policy: KeyPolicy, now: Micros, operation: str) -> ApiKey:
    """The record of a new key whose first secret has the hot `item`."""
    return ApiKey(
        tenant=item.tenant,
        key_id=item.key_id,
        name=name,
        mode=item.mode,
        masked=masked,
        hashes=frozenset({item.key_hash}),
        newest=item.key_hash,
        created_at=iso(now),
        operation=operation,
        **record_fields(policy, item.plan),
    )


def record_fields(policy: KeyPolicy, plan: str) -> dict[str, Any]:
    """Fields of the record of a key with `policy`."""
    return item_fields(policy, plan) | {
        "permissions": sorted(policy.permissions),
        "scopes": sorted(policy.scopes),
        "models": sorted(policy.models),
        "search_providers": sorted(policy.search_providers),
        "rpm_from_plan": policy.rpm is None,
        "budget": policy.budget,
        "expires_at": iso(policy.expires) if policy.expires < NEVER else None,
    }


def policy_of(key: ApiKey) -> KeyPolicy:
    """The policy of a key's record. Its expiry is exact to the millisecond."""
    return KeyPolicy(
        permissions=frozenset(key.permissions),
        scopes=frozenset(key.scopes),
        domains=key.domains,
        models=frozenset(key.models),
        search_providers=frozenset(key.search_providers),
        rpm=None if key.rpm_from_plan else key.rpm,
        budget=key.budget,
        expires=NEVER if key.expires_at is None else micros_of(key.expires_at),
        logs_enabled=key.logs_enabled,
        prompt_logging_enabled=key.prompt_logging_enabled,
    )


def _simplified(names: frozenset[str]) -> frozenset[str]:
    return ANY if names > ANY else names


def _require_known(kind: str, names: Collection[str], known: Collection[str], field_name: str) -> None:
    if not names:
        raise invalid_request(f"A key needs at least one {kind}, or '*' for all.", field_name)
    for name in sorted(names):
        if name != "*" and name not in known:
            choices = ", ".join(sorted(known))
            raise invalid_request(
                f"'{_shown(name)}' is not a {kind}. Choose from {choices}, or '*' for all.", field_name
            )


def _require_names(field_name: str, names: Collection[str]) -> None:
    _require_count(field_name, names)
    for name in names:
        if not 1 <= len(name) <= _MAX_NAME_LENGTH or not name.isascii() or not name.isprintable():
            raise invalid_request(f"'{_shown(name)}' in '{field_name}' can't be a name.", field_name)


def _require_count(field_name: str, names: Collection[str]) -> None:
    if not 1 <= len(names) <= MAX_NAMES:
        raise invalid_request(f"'{field_name}' has 1 to {MAX_NAMES} names, or '*' for all.", field_name)


def _shown(name: str) -> str:
    return name[:80].encode(errors="replace").decode()
