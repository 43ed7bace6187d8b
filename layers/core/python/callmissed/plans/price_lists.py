"""What is for sale: price lists with versions, each in force from a date until the next one is.

A list has everything that has a price or a limit: plans, packs, tax. It comes into force by itself, at the start of a
month, because quotas are counted by the month. A purchase order keeps the version, the amount, the tax and the credits
under which it was made. So a new list changes neither an open order nor anything that was paid, held or granted.

Rates of API keys are copied from the plan when a key is made or the tenant's plan changes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from callmissed.clock import Micros
from callmissed.money import CREDIT, MicroCredits, Paise
from callmissed.plans.limits import UNLIMITED, ModelAccess, Plan, PlanLimits

_MB = 1024 * 1024
_GB = 1024 * _MB


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


@dataclass(frozen=True, slots=True)
class PriceList:
    """Prices and limits in force from a moment on, tax included.

    `tax_basis_points` is the tax's rate in hundredths of a percent. `custom_price` buys one credit outside the packs,
    of which an order has `min_credits` to `max_credits`.
    """

    version: str
    effective_from: Micros
    plans: Mapping[Plan, PlanLimits]
    packs: Sequence[CreditPack]
    tax_basis_points: int
    custom_price: Paise
    min_credits: int = 10
    max_credits: int = 100_000

    def credits(self, count: int) -> Offer:
        """The offer for `count` credits: a pack's, or so many at the custom price. Raises ValueError out of range."""
        if not self.min_credits <= count <= self.max_credits:
            raise ValueError(f"an order has {self.min_credits} to {self.max_credits} credits")
        for pack in self.packs:
            if pack.credits == count:
                return Offer(pack.price, pack.total)
        return Offer(Paise(count * self.custom_price), count)


_PLANS = {
    Plan.FREE: PlanLimits(
        monthly_quotas={"llm": 100, "stt": 50, "tts": 50, "image": 50, "search": UNLIMITED},
        default_rpm=60,
        voice_concurrency=1,
        conversations=50,
        storage_bytes=100 * _MB,
        team_members=2,
        model_access=ModelAccess.FREE_MODELS,
        monthly_price_inr=0,
        monthly_grant=MicroCredits(100 * CREDIT),
    ),
    Plan.STARTER: PlanLimits(
        monthly_quotas={"llm": 5_000, "stt": 2_500, "tts": 2_500, "image": 500, "search": UNLIMITED},
        default_rpm=500,
        voice_concurrency=5,
        conversations=1_000,
        storage_bytes=_GB,
        team_members=5,
        model_access=ModelAccess.ALL,
        monthly_price_inr=999,
        monthly_grant=MicroCredits(500 * CREDIT),
        first_grant=MicroCredits(550 * CREDIT),
    ),
    Plan.PRO: PlanLimits(
        monthly_quotas={"llm": 50_000, "stt": 25_000, "tts": 25_000, "image": 5_000, "search": UNLIMITED},
        default_rpm=3_000,
        voice_concurrency=20,
        conversations=10_000,
        storage_bytes=10 * _GB,
        team_members=20,
        model_access=ModelAccess.ALL,
        monthly_price_inr=4_999,
        monthly_grant=MicroCredits(5_000 * CREDIT),
        first_grant=MicroCredits(6_000 * CREDIT),
    ),
    Plan.ENTERPRISE: PlanLimits(
        monthly_quotas=dict.fromkeys(("llm", "stt", "tts", "image", "search"), UNLIMITED),
        default_rpm=10_000,
        voice_concurrency=UNLIMITED,
        conversations=UNLIMITED,
        storage_bytes=UNLIMITED,
        team_members=UNLIMITED,
        model_access=ModelAccess.ALL_AND_CUSTOM,
        monthly_price_inr=20_000,
        wallet_shards=8,
        monthly_grant=MicroCredits(20_000 * CREDIT),
        first_grant=MicroCredits(26_000 * CREDIT),
    ),
}

PRICE_LISTS = (
    PriceList(
        version="2026-06",
        effective_from=Micros(0),
        plans=_PLANS,
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


def price_list(now: Micros) -> PriceList:
    """The list in force at `now`."""
    return [each for each in PRICE_LISTS if each.effective_from <= now][-1]
