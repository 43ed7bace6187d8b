"""Changes of a key: what becomes of its record, and of the hot item of each of its secrets.

A changed budget counts for the running month: what was spent of the earlier one is spent of the new one. A budget that
is set where there was none begins with nothing spent. A key whose budget is removed is counted on, so that a call that
was admitted before can give back what it did not cost, and a later budget knows what was spent.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TypedDict

from callmissed.clock import Micros, month_of
from callmissed.errors import ApiError, invalid_request
from callmissed.keys.policy import check_expiry, checked, item_fields, policy_of, record_fields
from callmissed.keys.rates import interval_of, tolerance_of
from callmissed.keys.records import ACTIVE, PAUSED, ApiKey, KeyItem
from callmissed.keys.rotation.secret_rotation import left_of, lend
from callmissed.ledger.wallet import NO_BUDGET
from callmissed.money import MicroCredits
from callmissed.tenants.tenants import checked_name

UNLIMITED = MicroCredits(NO_BUDGET - 1)
"""The budget of a key whose budget was removed: no month can reach it, and it is counted."""

MAX_CHANGED_DOMAINS = 90
"""Maximum domain locks that one change adds and removes: each takes an operation of its transaction."""


class PolicyChanges(TypedDict, total=False):
    """New values of fields of `callmissed.keys.policy.KeyPolicy`."""

    permissions: frozenset[str]
    scopes: frozenset[str]
    domains: frozenset[str]
    models: frozenset[str]
    search_providers: frozenset[str]
    rpm: int | None
    budget: MicroCredits | None
    expires: Micros
    logs_enabled: bool
    prompt_logging_enabled: bool


class KeyChanges(TypedDict, total=False):
    """What a change names: everything else stays as it is."""

    name: str
    is_active: bool
    policy: PolicyChanges


def changed_key(key: ApiKey, changes: KeyChanges, plan: str, now: Micros) -> ApiKey:
    """The key's record after `changes`, on the tenant's `plan`.

    Raises ApiError 400 for a value that is not allowed, 409 for a revoked key.
    """
    if key.is_revoked:
        raise ApiError(409, "conflict", "A revoked key can't be changed.")
    named = changes.get("policy", {})
    policy = checked(replace(policy_of(key), **named))
    if "expires" in named:
        check_expiry(policy.expires, now)
    after = replace(
        key,
        name=checked_name(changes.get("name", key.name)),
        status=ACTIVE if changes.get("is_active", key.is_active) else PAUSED,
        **record_fields(policy, plan),
    )
    if len((key.domains ^ after.domains) - {"*"}) > MAX_CHANGED_DOMAINS:
        message = f"One change adds and removes at most {MAX_CHANGED_DOMAINS} domains. Change them in two steps."
        raise invalid_request(message, "allowed_domains")
    return after


def changed_items(
    before: ApiKey, after: ApiKey, items: Sequence[KeyItem], newest: KeyItem, now: Micros
) -> list[tuple[KeyItem, KeyItem]]:
    """The hot items of the key's secrets, before and after the change of its record."""
    policy = policy_of(after)
    fields = item_fields(policy, newest.plan)
    found = {item.key_hash: replace(_at_rate(item, after.rpm, now), status=after.status, **fields) for item in items}
    if after.expires_at != before.expires_at:
        found |= {
            key_hash: replace(item, expires=min(item.expires, policy.expires)) for key_hash, item in found.items()
        }
        found[newest.key_hash] = replace(found[newest.key_hash], expires=policy.expires)
    if after.budget != before.budget:
        budget = UNLIMITED if after.budget is None else after.budget
        found = _with_budget(found, found[newest.key_hash], budget, now)
    return [(item, found[item.key_hash]) for item in items]


def on_plan(key: ApiKey, items: Sequence[KeyItem], plan: str, now: Micros) -> tuple[ApiKey, list[KeyItem]]:
    """The key's record, and the hot items of its secrets, on another plan of the tenant: its models, and its rate.

    A key with a rate of its own keeps that.
    """
    after = replace(key, rpm=item_fields(policy_of(key), plan)["rpm"])
    return after, [replace(_at_rate(item, after.rpm, now), plan=plan) for item in items]


def _at_rate(item: KeyItem, rpm: int, now: Micros) -> KeyItem:
    """The item at another rate. Calls of the last seconds count at the higher one of the two rates."""
    interval, tolerance = interval_of(rpm), tolerance_of(rpm)
    arrival = item.arrival and _arrival(item, interval, now)
    return replace(
        item,
        rpm=rpm,
        interval=interval,
        delay=interval - tolerance,
        arrival=arrival,
        conforms_at=item.conforms_at + arrival - item.arrival + item.interval - item.delay - tolerance,
    )


def _arrival(item: KeyItem, interval: int, now: Micros) -> Micros:
    waiting = item.arrival - now
    if waiting > 0:
        return Micros(now + waiting * min(interval, item.interval) // item.interval)
    return Micros(item.arrival + interval - item.interval)  # an interval after the last call, as before


def _with_budget(items: dict[str, KeyItem], newest: KeyItem, budget: MicroCredits, now: Micros) -> dict[str, KeyItem]:
    """The items with the key's new monthly `budget`, divided as it was among the secrets that work."""
    if len(items) == 1:
        left = newest.budget_left + budget - newest.budget if newest.has_budget else budget
        return {newest.key_hash: replace(newest, budget=budget, budget_left=left)}
    month = max(month_of(now), *(item.month for item in items.values()))
    parts = {key_hash: left_of(item, month, now) for key_hash, item in items.items()}
    left = sum(parts.values()) + budget - newest.budget if newest.has_budget else budget
    working = [item for item in items.values() if item.expires > now or item is newest]
    shares = _shares(left, newest, working, parts)
    after = {
        key_hash: replace(item, budget=budget, month=month, budget_left=shares.get(key_hash, 0), lent=None)
        for key_hash, item in items.items()
    }
    staying = {item.key_hash: after[item.key_hash] for item in working if item is not newest}
    ends = [month_of(Micros(item.expires - 1)) for item in staying.values()]
    fresh = lend(after[newest.key_hash], staying, max(ends, default=month))
    return after | staying | {newest.key_hash: fresh}


def _shares(left: int, newest: KeyItem, working: Sequence[KeyItem], parts: dict[str, int]) -> dict[str, int]:
    """What is left, in the proportions of the secrets' `parts`; nothing for earlier secrets if nothing is left."""
    weights = {item.key_hash: max(0, parts[item.key_hash]) for item in working}
    if not newest.has_budget or not any(weights.values()):
        weights = dict.fromkeys(weights, 1)
    shares = {key_hash: max(0, left) * weight // sum(weights.values()) for key_hash, weight in weights.items()}
    return shares | {newest.key_hash: left - sum(shares.values()) + shares[newest.key_hash]}
