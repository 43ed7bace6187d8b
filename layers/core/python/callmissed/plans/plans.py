"""The plans as they are in force."""

from callmissed.clock import Micros, system_clock
from callmissed.plans.limits import UNLIMITED, ModelAccess, Plan, PlanLimits
from callmissed.plans.price_lists import price_list

__all__ = ["UNLIMITED", "ModelAccess", "Plan", "PlanLimits", "limits"]


def limits(plan: Plan | str, now: Micros | None = None) -> PlanLimits:
    """What `plan` allows at `now`, by default the system's. Raises ValueError for a plan that doesn't exist."""
    return price_list(system_clock() if now is None else now).plans[Plan(plan)]
