"""The plan of a secret's rotation: each secret's part of the monthly budget afterwards.

The parts never sum to more than the key had, also when a month begins while two secrets work: each earlier secret then
gets a share of the next month, and the new one gets that much less, for that month only.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from callmissed.clock import Micros, month_of, month_start
from callmissed.keys.records import KeyItem


@dataclass(frozen=True, slots=True)
class RotationPlan:
    """The new secret's hot item, and each earlier one before and after the rotation: None when it ends at once."""

    fresh: KeyItem
    earlier: list[tuple[KeyItem, KeyItem | None]]

    @property
    def hashes(self) -> frozenset[str]:
        """Ids of the secrets that work afterwards."""
        return frozenset({self.fresh.key_hash, *(after.key_hash for _, after in self.earlier if after)})


def plan_rotation(items: list[KeyItem], newest: KeyItem, key_hash: str, *, overlap: int, now: Micros) -> RotationPlan:
    """Plan a new secret of id `key_hash` for the key with these `items`; `newest` has the policy.

    Earlier secrets work at most `overlap` microseconds longer, and keep half of their part of the budget.
    """
    now = max(now, *(month_start(item.month) for item in items))  # a faster clock has begun it
    end = Micros(now + overlap)
    staying = {item.key_hash: _ending(item, end) for item in items if overlap and item.expires > now}
    month, budget = month_of(now), newest.budget
    fresh = replace(
        newest, key_hash=key_hash, arrival=Micros(0), conforms_at=Micros(0), month=month, budget_left=budget, lent=None
    )
    if newest.has_budget:
        fresh = _split(items, fresh, staying, now)
        fresh = lend(fresh, staying, month_of(end))
    return RotationPlan(fresh, [(item, staying.get(item.key_hash)) for item in items])


def _ending(item: KeyItem, end: Micros) -> KeyItem:
    return replace(item, expires=min(item.expires, end))


def _split(items: Iterable[KeyItem], fresh: KeyItem, staying: dict[str, KeyItem], now: Micros) -> KeyItem:
    """Divide the rest of this month's budget; returns the new secret with its part."""
    left = {item.key_hash: left_of(item, fresh.month, now) for item in items}
    for key_hash, item in staying.items():
        staying[key_hash] = replace(item, month=fresh.month, budget_left=left[key_hash] // 2)
    kept = sum(item.budget_left for item in staying.values())
    return replace(fresh, budget_left=sum(left.values()) - kept)


def lend(fresh: KeyItem, staying: dict[str, KeyItem], ending: int) -> KeyItem:
    """Divide the budget of the month in which the overlap ends, if it is a later one, with the secrets that work then.

    Amounts that an earlier rotation lent for that month are divided again. Returns the new secret with its part.
    """
    heirs = [item for item in staying.values() if month_of(Micros(item.expires - 1)) > fresh.month]
    if not heirs:
        return fresh
    share = fresh.budget // (len(heirs) + 1)
    for item in heirs:
        staying[item.key_hash] = replace(item, budget=share, lent=(ending, 0))
    return replace(fresh, lent=(ending, share * len(heirs)))


def left_of(item: KeyItem, month: int, now: Micros) -> int:
    """What is left of a secret's part of the budget of `month`, which may not have begun for the secret."""
    if item.month >= month:
        return item.budget_left
    return item.month_budget(month) if item.expires > now else 0
