"""The wallet: a tenant's credits, its month's budget and quotas, and the holds of calls in flight.

available + held + spent_ever = granted  and  budget_left + held + spent = budget  at every read: each write moves
between two of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from callmissed.money import NOTHING, MicroCredits, total
from callmissed.plans.plans import Plan, limits

NO_BUDGET = MicroCredits(10**18)
"""Budget of a tenant or key without one: a limit that no month can reach."""

ACTIVE = "active"
SERVICES = ("llm", "stt", "tts", "image", "search")
NO_QUOTA = ""
"""Instead of a service: the call counts in no quota."""


class HoldToken(NamedTuple):
    """A hold in the wallet: its amount, the number of the attempt that placed it, the service."""

    amount: MicroCredits
    attempt: int
    service: str


@dataclass(frozen=True, slots=True)
class Wallet:
    """One wallet of a tenant. `spent` and `quotas` (calls left) are of `month`.

    `month` is such as 202611, `spent_before` is the sum of earlier months, `holds` are by call id. `status` is
    `active`, or the reason why the wallet is closed.
    """

    wallet_id: str
    plan: str
    status: str
    month: int
    available: MicroCredits
    granted: MicroCredits
    spent: MicroCredits
    spent_before: MicroCredits
    budget: MicroCredits
    budget_left: MicroCredits
    holds: Mapping[str, HoldToken]
    quotas: Mapping[str, int]

    @property
    def held(self) -> MicroCredits:
        """Sum of the holds."""
        return total(token.amount for token in self.holds.values())

    @property
    def spent_ever(self) -> MicroCredits:
        """Spent, all time."""
        return MicroCredits(self.spent + self.spent_before)

    def has_used_up(self, service: str) -> bool:
        """Whether no calls of `service` are left this month."""
        return service != NO_QUOTA and self.quotas[service] < 1

    @property
    def has_budget(self) -> bool:
        """Whether there is a monthly budget."""
        return self.budget < NO_BUDGET

    @property
    def imbalance(self) -> MicroCredits:
        """Errors of the wallet's two equations, zero when they hold."""
        credits = self.available + self.held + self.spent_ever - self.granted
        budget = self.budget_left + self.held + self.spent - self.budget
        return MicroCredits(abs(credits) + abs(budget))


def fresh_quotas(plan: str) -> dict[str, int]:
    """Calls of each service at the start of a month of `plan`."""
    monthly = limits(Plan(plan)).monthly_quotas
    return {service: monthly[service] for service in SERVICES}


def new_wallet(
    wallet_id: str, plan: str, month: int, *, budget: MicroCredits = NO_BUDGET, status: str = ACTIVE
) -> Wallet:
    """A wallet without credits."""
    return Wallet(
        wallet_id=wallet_id,
        plan=str(plan),
        status=status,
        month=month,
        available=NOTHING,
        granted=NOTHING,
        spent=NOTHING,
        spent_before=NOTHING,
        budget=budget,
        budget_left=budget,
        holds={},
        quotas=fresh_quotas(plan),
    )
