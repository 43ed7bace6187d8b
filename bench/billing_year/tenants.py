"""Tenants of the year: who they are, what they have by their models, and of what nobody can be sure yet."""

import random
from collections import Counter
from dataclasses import dataclass, field

from bench.billing_year.money_model import ExpectedMoney
from bench.billing_year.plan_model import ExpectedOrder, ExpectedPlan


@dataclass
class YearTenant:
    """One tenant. `draw` draws its life. While it has `doubts`, the product may be behind its models."""

    tenant_id: str
    character: str
    draw: random.Random
    money: ExpectedMoney
    plan: ExpectedPlan = field(default_factory=ExpectedPlan)
    orders: dict[str, ExpectedOrder] = field(default_factory=dict[str, ExpectedOrder])
    coupons: Counter[str] = field(default_factory=Counter[str])
    doubts: Counter[str] = field(default_factory=Counter[str])
    keys: dict[str, int | None] = field(default_factory=dict[str, int | None])
    """Rates of its keys by id; None is the plan's. `decided` are the periods whose end was thought of."""
    decided: int = 0
    _seen_periods: int = 0

    @property
    def is_sure(self) -> bool:
        """Whether the product must have exactly what the models say."""
        return not any(self.doubts.values())

    def advance(self, now: int) -> None:
        """Let the models do what is due, as the product does it when it looks at the plan."""
        self.plan.advance(now)
        self.follow(now)

    def follow(self, now: int) -> None:
        """Let periods that have begun bring their credits, and the plan reach the wallet."""
        new = self.plan.periods[self._seen_periods :]
        self._seen_periods += len(new)
        for period in new:
            self.money.move("plan_grant", period.reference, period.credits)
        self.money.change_plan(self.plan.plan, now)

    def new_id(self, prefix: str = "cm") -> str:
        """Id of something new of this tenant."""
        return f"{prefix}_{self.draw.getrandbits(64):016x}"
