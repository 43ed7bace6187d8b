"""What calls have made of a key: its rate, its budget of the month, and its last use. Reads only.

The last use is derived from the rate's theoretical arrival time, so it costs no write; it lags less than a minute.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from callmissed.aws.database import Database
from callmissed.clock import Micros, iso, month_of
from callmissed.keys.rates import RateState, burst
from callmissed.keys.records import ApiKey, KeyItem, read_key_items
from callmissed.keys.rotation.secret_rotation import left_of
from callmissed.money import MicroCredits


@dataclass(frozen=True, slots=True)
class KeyState:
    """State of a key at one moment. `used` and `left` are of the budget of `month`, None without one.

    `rate` is the newest secret's; each of the `secrets` that work has one of its own. `last_used_at` is ISO 8601.
    """

    rate: RateState
    month: int
    used: MicroCredits | None
    left: MicroCredits | None
    secrets: int
    last_used_at: str | None


async def read_states(database: Database, keys: Sequence[ApiKey], now: Micros) -> dict[str, KeyState]:
    """The states of `keys` by id. Reads nothing for revoked ones. Raises Unavailable."""
    hashes = [key_hash for key in keys if not key.is_revoked for key_hash in sorted(key.hashes)]
    found = {item.key_hash: item for item in await read_key_items(database, hashes)}
    return {key.key_id: _state(key, [found[each] for each in key.hashes if each in found], now) for key in keys}


def last_use(key: ApiKey, items: Sequence[KeyItem]) -> str | None:
    """The last use of the key with the hot `items`, in ISO 8601; None before the first."""
    used = [moment for item in items if (moment := item.last_used) is not None]
    return max((*map(iso, used), key.last_used_at or "")) or None


def _state(key: ApiKey, items: Sequence[KeyItem], now: Micros) -> KeyState:
    month = max(month_of(now), *(item.month for item in items), 0)
    working = [item for item in items if item.works(now)]
    used = left = None
    if key.budget is not None and items:
        used = max(0, key.budget - sum(left_of(item, month, now) for item in items))
        left = max(0, sum(left_of(item, month, now) for item in items if item.expires > now))
    used_at = last_use(key, items)
    newest = next((item for item in items if item.key_hash == key.newest), None)
    return KeyState(
        rate=newest.rate(now) if newest else RateState(key.rpm, burst(key.rpm), 0),
        month=month,
        used=None if used is None else MicroCredits(used),
        left=None if left is None else MicroCredits(left),
        secrets=len(working),
        last_used_at=min(used_at, iso(now)) if used_at else None,
    )
