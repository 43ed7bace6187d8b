"""The key item: one per live secret, written once a call, so its names are letters.

    id    HMAC of the secret              kid   the key's public id       t     tenant
    st    `active` or `revoked`           mode  `live` or `test`          plan  the tenant's plan
    perm  permissions, `*` for all        mdl   allowed models, `*`       dom   domain locks, `*` for none
    prov  allowed search providers, `*`   scp   scopes                    ex    expiry in epoch microseconds
    rpm   requests a minute               bud   monthly budget            kb    what is left of it, for month km
    iv    microseconds per request        dl    iv - burst tolerance
    tat   theoretical arrival time        u     first moment at which the next call conforms: tat + dl - iv

Rate limiting is GCRA (ITU-T I.371, Annex A): a call conforms when tat - tolerance <= now.
"""

from dataclasses import dataclass, field

from callmissed.aws.attributes import Item
from callmissed.clock import MINUTE, month_of
from callmissed.keys.secret import Mode
from callmissed.ledger.wallet import NO_BUDGET

ANY = frozenset({"*"})
NEVER = 10**18
"""An expiry that no clock reaches."""

ACTIVE = "active"
REVOKED = "revoked"
_BURST_SECONDS = 10


@dataclass(frozen=True, slots=True)
class KeyPolicy:
    """What a key may do. `budget` is micro-credits a month, `expires` epoch microseconds."""

    permissions: frozenset[str] = ANY
    scopes: frozenset[str] = field(default_factory=frozenset[str])
    domains: frozenset[str] = ANY
    models: frozenset[str] = ANY
    search_providers: frozenset[str] = ANY
    rpm: int = 60
    budget: int | None = None
    expires: int = NEVER


def burst(rpm: int) -> int:
    """Calls that may come at once: ten seconds' worth, at least one."""
    return max(1, rpm * _BURST_SECONDS // 60)


def rate(rpm: int) -> dict[str, int]:
    """The item's rate parameters for `rpm` calls a minute."""
    interval = MINUTE // rpm
    tolerance = interval * (burst(rpm) - 1)
    return {"rpm": rpm, "iv": interval, "dl": interval - tolerance}


def key_item(*, id: str, key_id: str, tenant: str, plan: str, mode: Mode, policy: KeyPolicy, now: int) -> Item:
    """The hot item of a new key. Empty scopes are left out, because DynamoDB has no empty sets."""
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
        **rate(policy.rpm),
    }
    return item | ({"scp": policy.scopes} if policy.scopes else {})
