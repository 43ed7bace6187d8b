"""Items of keys: one hot item for each live secret, and one record for each key among its tenant's items.

The hot item, in the table `keys`, is written once a call, so its names are letters:

    id    HMAC of the secret              kid   the key's public id       t     tenant
    st    `active`, `paused`, `revoked`, or the status of a tenant that is not active
                                          mode  `live` or `test`          plan  the tenant's plan
    perm  permissions, `*` for all        mdl   allowed models, `*`       dom   domain locks, `*` for none
    prov  allowed search providers, `*`   scp   scopes                    ex    expiry in epoch microseconds
    rpm   requests a minute               bud   monthly budget            kb    what is left of it, for month km
    iv    microseconds per request        dl    iv - burst tolerance
    tat   theoretical arrival time        u     first moment at which the next call conforms: tat + dl - iv
    ln    [month, micro-credits] of the budget lent to an earlier secret for that month; only after a rotation
    lg    whether calls are logged        pl    whether prompts are logged; both only where they are
    ttl   epoch seconds at which a revoked key's item and record go; only after a revocation

The record, in the table `tenants`, never changes during calls. Its `hashes` are the ids of its secrets' hot items,
`newest` is the current one's. Every change of a key writes record, items and the index of domain locks together, on
the condition that `hashes` and `revision`, the number of changes, are as they were read. So a change can't miss a
secret that a concurrent change made or moved. It moves what calls move, rate and budget, by a difference.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from operator import attrgetter, itemgetter
from typing import Any

from callmissed.aws.attributes import Item, to_item
from callmissed.aws.comparisons import Comparison, at_least, begins_with, between, equal, missing_or
from callmissed.aws.database import Database
from callmissed.aws.operations import WriteOperation, delete_operation, put_new_operation, update_operation
from callmissed.clock import SECOND, Micros
from callmissed.errors import ApiError
from callmissed.keys.count import count_operation, discount_operation
from callmissed.keys.domains import lock_operations, unlock_operations
from callmissed.keys.rates import RateState, burst
from callmissed.ledger.wallet import NO_BUDGET
from callmissed.money import MicroCredits
from callmissed.platform.tables import KEYS, TENANTS
from callmissed.tenants.status import INACTIVE, TenantStatus

ACTIVE = "active"
PAUSED = "paused"
REVOKED = "revoked"
REVOKED_DAYS = 30
"""How long a revoked key is shown."""
NEVER_GOES = 0
_PREFIX = "KEY#"

_NO_SCOPES = frozenset[str]()
_LETTERS = {
    "key_hash": "id",
    "key_id": "kid",
    "tenant": "t",
    "plan": "plan",
    "status": "st",
    "mode": "mode",
    "permissions": "perm",
    "domains": "dom",
    "models": "mdl",
    "search_providers": "prov",
    "expires": "ex",
    "rpm": "rpm",
    "budget": "bud",
    "budget_left": "kb",
    "month": "km",
    "interval": "iv",
    "delay": "dl",
    "arrival": "tat",
    "conforms_at": "u",
}
_values = itemgetter(*_LETTERS.values())
_fields = attrgetter(*_LETTERS)
_OPTIONAL = frozenset({"scp", "ln", "lg", "pl"})
_MOVING = frozenset({"id", "tat", "u"})
_MOVING_BUDGET = frozenset({"kb", "km"})
_COUNTED = ("tat", "u", "kb")
_NOT_STORED = {"key_id", "ttl"}
"""Fields of a record that a new one does not have under their names."""


@dataclass(frozen=True, slots=True)
class KeyItem:
    """The hot item of one secret: policy, rate and budget. Moments and intervals are microseconds.

    `budget_left` counts for `month`, such as 202611. `lent` are a month and the micro-credits of its budget that an
    earlier secret has; `delay` is the interval less the burst tolerance, `conforms_at` arrival + delay - interval.
    """

    key_hash: str
    key_id: str
    tenant: str
    plan: str
    status: str
    mode: str
    permissions: frozenset[str]
    domains: frozenset[str]
    models: frozenset[str]
    search_providers: frozenset[str]
    expires: Micros
    rpm: int
    budget: MicroCredits
    budget_left: MicroCredits
    month: int
    interval: int
    delay: int
    arrival: Micros
    conforms_at: Micros
    scopes: frozenset[str] = _NO_SCOPES
    lent: tuple[int, int] | None = None
    logs_enabled: bool = False
    prompt_logging_enabled: bool = False

    @property
    def has_budget(self) -> bool:
        """Whether the key has a monthly budget of its own."""
        return self.budget < NO_BUDGET

    def works(self, now: Micros) -> bool:
        """Whether the secret is neither paused nor revoked nor expired at `now`, and its tenant is active."""
        return self.status == ACTIVE and self.expires > now

    def is_closed(self, now: Micros) -> bool:
        """Whether the secret would work at `now` if its tenant were active."""
        return self.status in INACTIVE and self.expires > now

    def is_limited(self, now: Micros) -> bool:
        """Whether a call at `now` is above the rate."""
        return self.arrival >= now and self.conforms_at > now

    def rate(self, now: Micros) -> RateState:
        """The rate's window at `now`."""
        remaining = max(0, (now - self.conforms_at) // self.interval + 1)
        return RateState(self.rpm, min(remaining, burst(self.rpm)), max(0, self.arrival - now))

    @property
    def last_used(self) -> Micros | None:
        """The last call, or within a burst a moment up to ten seconds after it; None before the first."""
        return Micros(self.arrival - self.interval) if self.arrival else None

    def month_budget(self, month: int) -> int:
        """Micro-credits with which the secret begins `month`, such as 202611."""
        return self.budget - (self.lent[1] if self.lent and self.lent[0] == month else 0)


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key's record. `hashes` are the ids of its secrets' items; times are ISO 8601, `budget` monthly.

    `operation` is the id of the operation that made the newest secret; `last_used_at` the last use of the secrets
    before it, or of all if the key is revoked. `ttl` is when a revoked key's record goes, in epoch seconds.
    """

    tenant: str
    key_id: str
    name: str
    mode: str
    masked: str
    hashes: frozenset[str]
    newest: str
    permissions: list[str]
    scopes: list[str]
    domains: frozenset[str]
    models: list[str]
    search_providers: list[str]
    rpm: int
    rpm_from_plan: bool
    budget: MicroCredits | None
    expires_at: str | None
    created_at: str
    status: str = ACTIVE
    revision: int = 0
    logs_enabled: bool = False
    prompt_logging_enabled: bool = False
    operation: str = ""
    last_used_at: str | None = None
    ttl: int = NEVER_GOES

    @property
    def is_active(self) -> bool:
        """Whether the key is neither paused nor revoked."""
        return self.status == ACTIVE

    @property
    def is_revoked(self) -> bool:
        """Whether the key has ended for good."""
        return self.status == REVOKED

    def is_shown(self, now: Micros) -> bool:
        """Whether lists show the key: 30 days beyond its revocation. DynamoDB deletes it within days after that."""
        return self.ttl == NEVER_GOES or now < self.ttl * SECOND


def key_item_of(item: Item) -> KeyItem:
    """The hot item from its stored form."""
    lent = item.get("ln")
    return KeyItem(
        *_values(item),
        scopes=item.get("scp", _NO_SCOPES),
        lent=tuple(lent) if lent else None,
        logs_enabled="lg" in item,
        prompt_logging_enabled="pl" in item,
    )


def to_key_item(key: KeyItem) -> Item:
    """The hot item as it is stored. Empty scopes are left out, because DynamoDB has no empty sets."""
    item: Item = dict(zip(_LETTERS.values(), _fields(key), strict=True))
    logged = {"lg": key.logs_enabled, "pl": key.prompt_logging_enabled}
    optional = {"scp": key.scopes, "ln": list(key.lent or ()), **logged}
    return item | {name: value for name, value in optional.items() if value}


async def read_key_item(database: Database, key_hash: str) -> KeyItem | None:
    """The hot item, strongly consistent. Raises Unavailable."""
    item = await database.get(KEYS, {"id": key_hash})
    return key_item_of(item) if item else None


async def read_api_key(database: Database, tenant: str, key_id: str) -> ApiKey:
    """The key's record, strongly consistent. Raises ApiError 404, Unavailable."""
    item = await database.get(TENANTS, _record_key(tenant, key_id))
    if not item:
        raise ApiError(404, "not_found", "No such key.")
    return _api_key_of(item)


async def read_api_keys(database: Database, tenant: str, *, consistent: bool = False) -> list[ApiKey]:
    """Records of the tenant's keys, revoked ones included, oldest first. Raises Unavailable."""
    selected = database.query(TENANTS, tenant, sort=begins_with(_PREFIX), consistent=consistent)
    return sorted([_api_key_of(item) async for item in selected], key=lambda key: (key.created_at, key.key_id))


async def read_key_items(database: Database, hashes: Sequence[str]) -> list[KeyItem]:
    """The hot items that exist, strongly consistent. Raises Unavailable."""
    ids = [{"id": key_hash} for key_hash in hashes]
    pages = [await database.get_all(KEYS, ids[start : start + 100]) for start in range(0, len(ids), 100)]
    return [key_item_of(item) for page in pages for item in page]


def create_operations(item: KeyItem, key: ApiKey) -> list[WriteOperation]:
    """Operations that write a new key, its first secret and its domain locks. The first two may be refused.

    The first one is refused for a key that exists, the second one at the tenant's limit.
    """
    return [
        put_new_operation(TENANTS, _to_record(key)),
        count_operation(key.tenant),
        put_key_item(item),
        *lock_operations(key.domains, key.tenant, key.key_id),
    ]


def revoke_operations(key: ApiKey, last_used_at: str | None, now: Micros) -> list[WriteOperation]:
    """Operations that end every secret of the key, of which nothing is left after REVOKED_DAYS."""
    ttl = now // SECOND + REVOKED_DAYS * 24 * 3600
    ended = [
        update_operation(KEYS, {"id": key_hash}, set={"st": REVOKED, "ttl": ttl}, expected={"kid": key.key_id})
        for key_hash in sorted(key.hashes)
    ]
    revoked = update_api_key(key, status=REVOKED, last_used_at=last_used_at, ttl=ttl)
    return [*ended, *unlock_operations(key.domains, key.tenant, key.key_id), revoked, discount_operation(key.tenant)]


def change_operations(before: ApiKey, after: ApiKey) -> list[WriteOperation]:
    """Operations that change the record of a key, and its domain locks."""
    names = (name for name in ApiKey.__slots__ if getattr(before, name) != getattr(after, name))
    return [
        update_api_key(before, **{name: getattr(after, name) for name in names}),
        *lock_operations(after.domains - before.domains, after.tenant, after.key_id),
        *unlock_operations(before.domains - after.domains, after.tenant, after.key_id),
    ]


def update_api_key(key: ApiKey, **changes: Any) -> WriteOperation:
    """The operation that changes the record of a key that is as it was read."""
    expected = {"hashes": key.hashes, "revision": missing_or(equal(key.revision))}
    changes |= {"revision": key.revision + 1}
    return update_operation(TENANTS, _record_key(key.tenant, key.key_id), set=changes, expected=expected)


def put_key_item(item: KeyItem) -> WriteOperation:
    """The operation that writes the hot item of a new secret."""
    return put_new_operation(KEYS, to_key_item(item))


def status_operation(item: KeyItem, status: TenantStatus) -> WriteOperation:
    """The operation that gives a secret's item the status of its tenant, if the item's is as it was read."""
    return update_operation(KEYS, {"id": item.key_hash}, set={"st": str(status)}, expected={"st": item.status})


def share_operation(before: KeyItem, after: KeyItem | None) -> WriteOperation:
    """The operation that changes an earlier secret's item to `after`, or ends it, if only calls changed it.

    The values that a rotation copies or divides must be as they were read.
    """
    stored, moving = to_key_item(before), _MOVING if before.has_budget else _MOVING | _MOVING_BUDGET
    expected = {name: value for name, value in stored.items() if name not in moving}
    missing, key = _OPTIONAL - stored.keys(), {"id": before.key_hash}
    if after is None:
        return delete_operation(KEYS, key, expected=expected, must_not_exist=missing)
    changes = {name: value for name, value in to_key_item(after).items() if stored.get(name) != value}
    changes["ex"] = after.expires  # an update changes something
    return update_operation(KEYS, key, set=changes, expected=expected, must_not_exist=missing)


def change_operation(before: KeyItem, after: KeyItem, *, several: bool) -> WriteOperation:
    """The operation that changes a secret's item from `before` to `after`, whatever calls it admits meanwhile.

    What calls move moves by the difference. If the key has `several` secrets, its budget is divided for a month, and
    a part that becomes smaller may not become less than nothing.
    """
    old, new = to_key_item(before), to_key_item(after)
    changed = {name: value for name, value in new.items() if name != "id" and old.get(name) != value}
    anew = before.month != after.month or before.has_budget < after.has_budget
    counted = [name for name in _COUNTED if name in changed and not (name == "kb" and anew)]
    moved = {name: changed.pop(name) - old[name] for name in counted}
    expected: dict[str, Any] = {"kid": before.key_id}
    if several and before.budget != after.budget:
        expected["km"] = before.month
        if after.budget_left >= 0 > moved.get("kb", 0):
            expected["kb"] = at_least(-moved["kb"])
    changed["ex"] = after.expires  # an update changes something
    key, removed = {"id": before.key_hash}, old.keys() - new.keys()
    return update_operation(KEYS, key, set=changed, add=moved, remove=removed, expected=expected)


def move_operations(item: KeyItem, key: ApiKey, key_hash: str, **changes: Any) -> list[WriteOperation]:
    """Operations that move a secret's item to the id `key_hash`, if it is as it was read, and change its record."""
    stored = to_key_item(item)
    expected = {name: value for name, value in stored.items() if name != "id"}
    hashes = (key.hashes - {item.key_hash}) | {key_hash}
    newest = key_hash if key.newest == item.key_hash else key.newest
    return [
        put_key_item(replace(item, key_hash=key_hash)),
        delete_operation(KEYS, {"id": item.key_hash}, expected=expected, must_not_exist=_OPTIONAL - stored.keys()),
        update_api_key(key, hashes=hashes, newest=newest, **changes),
    ]


def admit_request(
    table: str, key_hash: str, estimate: MicroCredits, now: Micros, month: int, *, busy: bool
) -> dict[str, Any]:
    """`UpdateItem` that admits one call at `now` and charges `estimate`."""
    if busy:
        update, branch = "SET tat = tat + iv, u = u + iv, kb = kb - :cost", "tat >= :now AND u <= :now"
    else:
        update, branch = "SET tat = iv + :now, u = dl + :now, kb = kb - :cost", "tat < :now"
    least = estimate or -NO_BUDGET  # a call that costs nothing needs no budget, even if there is less than none
    values = {":now": now, ":cost": estimate, ":least": least, ":month": month, ":active": ACTIVE}
    condition = f"st = :active AND ex > :now AND km = :month AND kb >= :least AND {branch}"
    return _update_request(table, key_hash, update, condition, values)


def budget_request(table: str, key_hash: str, change: MicroCredits, month: int) -> dict[str, Any]:
    """`UpdateItem` that adds `change` to the budget of `month`, if that month still counts and has enough left."""
    values = {":change": change, ":least": -change if change < 0 else -NO_BUDGET, ":month": month}
    return _update_request(table, key_hash, "SET kb = kb + :change", "km = :month AND kb >= :least", values)


def _update_request(table: str, key_hash: str, update: str, condition: str, values: Item) -> dict[str, Any]:
    return {
        "TableName": table,
        "Key": {"id": {"S": key_hash}},
        "UpdateExpression": update,
        "ConditionExpression": condition,
        "ExpressionAttributeValues": to_item(values),
        "ReturnValues": "ALL_NEW",
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }


def return_operation(key_hash: str, amount: MicroCredits, month: int) -> WriteOperation:
    """Add `amount` to the budget of `month`, if that month still counts."""
    return update_operation(KEYS, {"id": key_hash}, add={"kb": amount}, expected={"km": month})


async def start_month(database: Database, item: KeyItem, month: int) -> None:
    """Give the secret its budget of `month`; does nothing when another call did so first. Raises Unavailable."""
    fresh, expected = {"km": month, "kb": item.month_budget(month)}, {"km": item.month, "bud": item.budget}
    await database.update_if(KEYS, {"id": item.key_hash}, set=fresh, expected=expected)


def expired_between(after: Micros, until: Micros) -> dict[str, str | Comparison]:
    """The filter for items of secrets that expired after `after` and by `until`."""
    return {"st": ACTIVE, "ex": between(after + 1, until)}


def _record_key(tenant: str, key_id: str) -> Item:
    return {"tenant": tenant, "item": _PREFIX + key_id}


def _to_record(key: ApiKey) -> Item:
    record = {name: getattr(key, name) for name in ApiKey.__slots__ if name not in _NOT_STORED}
    return record | {"item": _PREFIX + key.key_id, "id": key.key_id}


def _api_key_of(item: Item) -> ApiKey:
    return ApiKey(key_id=item["id"], **{name: item[name] for name in ApiKey.__slots__ if name in item})
