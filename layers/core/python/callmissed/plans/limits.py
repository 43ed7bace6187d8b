"""Plans, and what a price list says of each: limits, price and grants."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from callmissed.money import NOTHING, MicroCredits, Paise

UNLIMITED = 10**15
"""A limit that no month can reach, so that "no limit" needs no special case in a conditional write."""


class Plan(StrEnum):
    """What a tenant has subscribed to, the lowest first."""

    FREE = "free"
    STARTER = "starter"
    PRO = "pro"
    ENTERPRISE = "enterprise"

    def is_above(self, other: "Plan") -> bool:
        """Whether it allows more than `other`."""
        return _ORDER.index(self) > _ORDER.index(other)


_ORDER = tuple(Plan)


class ModelAccess(StrEnum):
    """Which models a plan may call: the free ones, all, or all and ones made for the tenant."""

    FREE_MODELS = "free_models"
    ALL = "all"
    ALL_AND_CUSTOM = "all_and_custom"


@dataclass(frozen=True, slots=True)
class PlanLimits:
    """Limits of one plan.

    `monthly_quotas` counts successful billed calls per calendar month (UTC) by service (`llm`, `stt`, `tts`, `image`,
    `search`). `default_rpm` is the requests per minute of a key that has no limit of its own. `monthly_price_inr`
    is in whole rupees, tax included. `wallet_shards` is the number of items of the wallet (callmissed.ledger.shards).
    A period of the plan brings `monthly_grant` credits, the tenant's first period of it `first_grant`.
    """

    monthly_quotas: Mapping[str, int]
    default_rpm: int
    voice_concurrency: int
    conversations: int
    storage_bytes: int
    team_members: int
    model_access: ModelAccess
    monthly_price_inr: int
    wallet_shards: int = 1
    monthly_grant: MicroCredits = NOTHING
    first_grant: MicroCredits = NOTHING

    @property
    def price(self) -> Paise:
        """Price of a period, tax included."""
        return Paise(self.monthly_price_inr * 100)

    def grant(self, *, first: bool) -> MicroCredits:
        """Credits that a period brings, the tenant's first one of the plan or a later one."""
        return self.first_grant if first and self.first_grant else self.monthly_grant

    def allows(self, free: bool) -> bool:
        """True when the plan may call a model that is in the free list (`free`), or one that isn't."""
        return free or self.model_access is not ModelAccess.FREE_MODELS
