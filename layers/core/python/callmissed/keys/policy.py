"""The key item: one per live secret, written once a call, so its names are letters.

    id    HMAC of the secret              kid   the key's public id       t     tenant
    st    `active` or `revoked`           mode  `live` or `test`          plan  the tenant's plan
    perm  permissions, `*` for all        mdl   allowed models, `*`       dom   domain locks, `*` for none
    prov  allowed search providers, `*`   scp   scopes                    ex    expiry in epoch microseconds
    rpm   requests a minute               bud   monthly budget            kb    what is left of it, for month km
    iv    microseconds per request        dl    iv - burst tolerance
    tat   theoretical arrival time        u     first moment at which the next call conforms: tat + dl - iv
    ln    [month, micro-credits] of the budget lent to an earlier secret for that month; only after a rotation

Rate limiting is GCRA (ITU-T I.371, Annex A): a call conforms when tat - tolerance <= now.
"""

from collections.abc import Collection
from dataclasses import dataclass, field, replace

from callmissed.aws.attributes import Item
from callmissed.clock import MINUTE, month_of
from callmissed.errors import invalid_request
from callmissed.keys.domains import lockable
from callmissed.keys.secret import Mode
from callmissed.ledger.wallet import NO_BUDGET
from callmissed.platform.routes import Permission
from callmissed.tenancy.plans import limits

ANY = frozenset({"*"})
NEVER = 10**18
"""An expiry that no clock reaches."""

OPTIONAL = frozenset({"scp", "ln"})
"""Attributes that not every key item has."""

ACTIVE = "active"
REVOKED = "revoked"

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
MOST_RPM = 60_000
MOST_NAMES = 50
"""Domain locks, or models, of one key: every lock is a part of one transaction, every name a part of the hot item."""

_LONGEST_NAME = 128
_BURST_SECONDS = 10


@dataclass(frozen=True, slots=True)
class KeyPolicy:
    """What a key may do. `budget` is micro-credits a month, `expires` epoch microseconds, no `rpm` the plan's own."""

    permissions: frozenset[str] = ANY
    scopes: frozenset[str] = field(default_factory=frozenset[str])
    domains: frozenset[str] = ANY
    models: frozenset[str] = ANY
    search_providers: frozenset[str] = ANY
    rpm: int | None = None
    budget: int | None = None
    expires: int = NEVER


def checked(policy: KeyPolicy, now: int) -> KeyPolicy:
    """`policy` as it is kept: an asterisk stands alone, domain locks are canonical.

    Raises ApiError 400, whose `param` names the field, for what no key may have at `now` (epoch microseconds).
    """
    _require_known("permission", policy.permissions, PERMISSIONS)
    _require_known("scope", policy.scopes, SCOPES, may_be_empty=True)
    _require_names("allowed_models", policy.models)
    _require_names("search_providers", policy.search_providers)
    _require_count("allowed_domains", policy.domains)
    if policy.rpm is not None and not 1 <= policy.rpm <= MOST_RPM:
        raise invalid_request(f"A rate limit is 1 to {MOST_RPM} requests a minute.", "rate_limit_rpm")
    if policy.budget is not None and not 0 <= policy.budget < NO_BUDGET:
        raise invalid_request("A budget is at least 0 credits and less than a trillion.", "budget_limit")
    if policy.expires <= now:
        raise invalid_request("The expiry lies in the past.", "expires_at")
    return replace(
        policy,
        permissions=_simplified(policy.permissions),
        scopes=_simplified(policy.scopes),
        domains=policy.domains if policy.domains == ANY else frozenset(map(lockable, policy.domains)),
        models=_simplified(policy.models),
        search_providers=_simplified(policy.search_providers),
    )


def burst(rpm: int) -> int:
    """Calls that may come at once: ten seconds' worth, at least one."""
    return max(1, rpm * _BURST_SECONDS // 60)


def rate(rpm: int) -> dict[str, int]:
    """The item's rate parameters for `rpm` calls a minute."""
    interval = MINUTE // rpm
    tolerance = interval * (burst(rpm) - 1)
    return {"rpm": rpm, "iv": interval, "dl": interval - tolerance}


def month_budget(item: Item, month: int) -> int:
    """Micro-credits with which the hot `item` begins `month`, such as 202611."""
    lent_month, lent = item.get("ln", (0, 0))
    return item["bud"] - (lent if lent_month == month else 0)


def key_item(*, id: str, key_id: str, tenant: str, plan: str, mode: Mode, policy: KeyPolicy, now: int) -> Item:
    """The hot item of a new key. Empty scopes are left out, because DynamoDB has no empty sets."""
    rpm = limits(plan).default_rpm if policy.rpm is None else policy.rpm
    budget = NO_BUDGET if policy.budget is None else policy.budget
    item: Item = {
        "id": id,
        "kid": key_id,
        "t": tenant,
        "plan": plan,
        "st": ACTIVE,
        "mode": str(mode),
        "perm": policy.permissions,
        "dom": policy.domains,
        "mdl": policy.models,
        "prov": policy.search_providers,
        "ex": policy.expires,
        "bud": budget,
        "kb": budget,
        "km": month_of(now),
        "tat": 0,
        "u": 0,
        **rate(rpm),
    }
    return item | ({"scp": policy.scopes} if policy.scopes else {})


def _simplified(names: frozenset[str]) -> frozenset[str]:
    return ANY if names > ANY else names


def _require_known(kind: str, names: Collection[str], known: Collection[str], *, may_be_empty: bool = False) -> None:
    if not names and not may_be_empty:
        raise invalid_request(f"A key needs at least one {kind}, or '*' for all.", f"{kind}s")
    for name in sorted(names):
        if name != "*" and name not in known:
            choices = ", ".join(sorted(known))
            raise invalid_request(
                f"'{_shown(name)}' is not a {kind}. Choose from {choices}, or '*' for all.", f"{kind}s"
            )


def _require_names(field_name: str, names: Collection[str]) -> None:
    _require_count(field_name, names)
    for name in names:
        if not 1 <= len(name) <= _LONGEST_NAME or not name.isascii() or not name.isprintable():
            raise invalid_request(f"'{_shown(name)}' in '{field_name}' can't be a name.", field_name)


def _require_count(field_name: str, names: Collection[str]) -> None:
    if not 1 <= len(names) <= MOST_NAMES:
        raise invalid_request(f"'{field_name}' has 1 to {MOST_NAMES} names, or '*' for all.", field_name)


def _shown(name: str) -> str:
    return name[:80].encode(errors="replace").decode()
