"""What is for sale: price lists with versions, each in force from a date until the next one is.

A purchase order keeps the version, the amount, the tax and the credits under which it was made. So a new list changes
neither an open order nor anything that was paid.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from callmissed.clock import Micros
from callmissed.money import Paise
from callmissed.plans.plans import Plan, limits


@dataclass(frozen=True, slots=True)
class CreditPack:
    """A bundle of whole credits at a price, tax included. `bonus` credits come with it."""

    credits: int
    bonus: int
    price: Paise
    popular: bool = False

    @property
    def total(self) -> int:
        """Credits that a purchase grants."""
        return self.credits + self.bonus


class Offer(NamedTuple):
    """What a purchase costs, tax included, and how many whole credits it grants."""

    price: Paise
    credits: int


def _plan_prices() -> dict[Plan, Paise]:
    return {plan: Paise(limits(plan).monthly_price_inr * 100) for plan in Plan}


@dataclass(frozen=True, slots=True)
class PriceList:
    """Prices in force from a moment on, tax included.

    `tax_basis_points` is the tax's rate in hundredths of a percent. `custom_price` buys one credit outside the packs,
    of which an order has `min_credits` to `max_credits`.
    """

    version: str
    effective_from: Micros
    packs: Sequence[CreditPack]
    tax_basis_points: int
    custom_price: Paise
    min_credits: int = 10
    max_credits: int = 100_000
    plan_prices: Mapping[Plan, Paise] = field(default_factory=_plan_prices)

    def credits(self, count: int) -> Offer:
        """The offer for `count` credits: a pack's, or so many at the custom price. Raises ValueError out of range."""
        if not self.min_credits <= count <= self.max_credits:
            raise ValueError(f"an order has {self.min_credits} to {self.max_credits} credits")
        for pack in self.packs:
            if pack.credits == count:
                return Offer(pack.price, pack.total)
        return Offer(Paise(count * self.custom_price), count)


def tax_within(amount: Paise, basis_points: int) -> Paise:
    """The tax in `amount`, which includes it, rounded half up to a paisa."""
    whole = 10_000 + basis_points
    return Paise((2 * amount * basis_points + whole) // (2 * whole))


PRICE_LISTS = (
    PriceList(
        version="2026-06",
        effective_from=Micros(0),
        packs=(
            CreditPack(100, 0, Paise(9_900)),
            CreditPack(500, 10, Paise(44_900), popular=True),
            CreditPack(1_000, 50, Paise(84_900)),
            CreditPack(5_000, 500, Paise(399_900)),
        ),
        tax_basis_points=1_800,
        custom_price=Paise(100),
    ),
)
"""All lists, the earliest first."""


def price_list(now: Micros, lists: Sequence[PriceList] = PRICE_LISTS) -> PriceList:
    """The list in force at `now`."""
    return [each for each in lists if each.effective_from <= now][-1]
