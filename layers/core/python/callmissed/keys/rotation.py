"""What a rotation does to a key's hot items: who has which part of the monthly budget afterwards.

The parts never sum to more than the key had, also when the month turns while two secrets work: each earlier one then
gets a share of the next month, and the new one so much less, for that month only.
"""

from dataclasses import dataclass

from callmissed.aws.attributes import Item
from callmissed.clock import month_of, month_start
from callmissed.keys.policy import month_budget
from callmissed.ledger.wallet import NO_BUDGET


@dataclass(frozen=True, slots=True)
class Handover:
    """The new secret's hot item, and each earlier one with its changes, or with None where it ends at once."""

    fresh: Item
    earlier: list[tuple[Item, Item | None]]


def hand_over(items: list[Item], newest: Item, hash: str, *, overlap: int, now: int) -> Handover:
    """Plan a new secret of id `hash` for the key that has `items`, of which `newest` has its policy.

    Earlier secrets work at most `overlap` microseconds longer, and keep half of what they have of the budget.
    """
    now = max(now, *(month_start(item["km"]) for item in items))  # a month that a faster clock has begun goes on
    staying = [item for item in items if overlap and item["ex"] > now]
    changes: dict[str, Item] = {item["id"]: {"ex": min(item["ex"], now + overlap)} for item in staying}
    fresh = {name: value for name, value in newest.items() if name != "ln"}
    fresh |= {"id": hash, "tat": 0, "u": 0, "km": month_of(now), "kb": newest["bud"]}
    if newest["bud"] < NO_BUDGET:
        _split(items, fresh, changes, now)
        _lend(fresh, changes, month_of(now + overlap))
    return Handover(fresh, [(item, changes.get(item["id"])) for item in items])


def _split(items: list[Item], fresh: Item, changes: dict[str, Item], now: int) -> None:
    """Share out what is left of this month."""
    left = {item["id"]: _left(item, fresh["km"], now) for item in items}
    for id, change in changes.items():
        change |= {"km": fresh["km"], "kb": left[id] // 2}
    fresh["kb"] = sum(left.values()) - sum(change["kb"] for change in changes.values())


def _lend(fresh: Item, changes: dict[str, Item], ending: int) -> None:
    """Share out the month in which the overlap ends, if it is another one, with the secrets that live to see it.

    What an earlier rotation lent for that month is shared out anew.
    """
    heirs = [change for change in changes.values() if month_of(change["ex"] - 1) > fresh["km"]]
    if heirs:
        share = fresh["bud"] // (len(heirs) + 1)
        for change in heirs:
            change |= {"bud": share, "ln": [ending, 0]}
        fresh["ln"] = [ending, share * len(heirs)]


def _left(item: Item, month: int, now: int) -> int:
    if item["km"] >= month:
        return item["kb"]
    return month_budget(item, month) if item["ex"] > now else 0
