"""The plans: limits, price and grants of each."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from callmissed.money import CREDIT, NOTHING, MicroCredits

UNLIMITED = 10**15
"""A limit that no month can reach, so that "no limit" needs no special case in a conditional write."""

_MB = 1024 * 1024
_GB = 1024 * _MB


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

    def allows(self, free: bool) -> bool:
        """True when the plan may call a model that is in the free list (`free`), or one that isn't."""
        return free or self.model_access is not ModelAccess.FREE_MODELS


_LIMITS = {
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


def limits(plan: Plan | str) -> PlanLimits:
    """What `plan` allows. Raises ValueError for a plan that doesn't exist."""
    return _LIMITS[Plan(plan)]
