"""The wallet: a tenant's credits, its month's budget and quotas, and the holds of calls in flight.

available + held + spent_ever = granted - returned  and  budget_left + held + spent = budget  at every read: each write
moves between two of them. `available` below zero is a debt: credits were taken back that are spent
(docs/decisions/0026-debt.md). `budget_left` below zero is what was spent before the budget was lowered.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from callmissed.money import NOTHING, MicroCredits, total
from callmissed.plans.plans import Plan, limits

NO_BUDGET = MicroCredits(10**18)
"""Budget of a tenant or key without one: a limit that no month can reach."""

ACTIVE = "active"
SERVICES = ("llm", "stt", "tts", "image", "search")
NO_QUOTA = ""
"""Instead of a service: the call counts in no quota."""


@dataclass(slots=True)
class KeyCharge:
    """What a call was charged to the monthly budget of its API key. `key` is the key's name in a hold.

    `amount` was taken from the budget of `month`, such as 202611. `contested` is set when an attempt to place the
    call's hold got no answer: that hold may come at any later time, and it names this charge.
    """

    key: bytes
    amount: MicroCredits
    month: int
    contested: bool = False


class HoldToken(tuple[Any, ...]):
    """A hold as the wallet has it: amount, number of the attempt that placed it, service.

    Behind these, the hold of a call that was charged to a key's budget names the key; then the charge, unless it is the
    hold's amount; then the charge's month, unless it is the call's.
    """

    __slots__ = ()

    def __new__(cls, amount: MicroCredits, attempt: int, service: str, *charge: Any) -> Self:
        """The hold of one attempt."""
        return super().__new__(cls, (amount, attempt, service, *charge))

    @property
    def amount(self) -> MicroCredits:
        """Micro-credits set aside."""
        return self[0]

    @property
    def attempt(self) -> int:
        """The number that no other attempt to place this hold has."""
        return self[1]

    @property
    def service(self) -> str:
        """The service in whose quota the call counts."""
        return self[2]

    def charge(self, month: int) -> KeyCharge | None:
        """The charge to the budget of the call's key, for a call of `month`; None when the hold names no key."""
        if len(self) == 3:
            return None
        amount = self[4] if len(self) > 4 else self.amount
        return KeyCharge(self[3], amount, self[5] if len(self) > 5 else month)


def short_form(charge: KeyCharge, amount: MicroCredits, month: int) -> tuple[Any, ...]:
    """`charge` as the end of a HoldToken of `amount` for a call of `month`."""
    if charge.month != month:
        return (charge.key, charge.amount, charge.month)
    return (charge.key,) if charge.amount == amount else (charge.key, charge.amount)


@dataclass(frozen=True, slots=True)
class Wallet:
    """One wallet of a tenant. `spent` and `quotas` (calls left) are of `month`.

    `month` is such as 202611, `spent_before` is the sum of earlier months, `holds` are by call id. `status` is
    `active`, or the reason why the wallet is closed.

    Only the first wallet of a tenant has what follows the quotas: credits taken back (`returned`) and the sign-up
    `bonus`, both all time; the number of wallets that were ever made (`shards`); whether the tenant wants `alerts`
    of its budget, and its own threshold of credits that are few, `low_credits` (credits, None is the platform's).
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
    returned: MicroCredits = NOTHING
    bonus: MicroCredits = NOTHING
    shards: int = 1
    alerts: bool = True
    low_credits: int | None = None

    @property
    def max_shards(self) -> int:
        """How many wallets the tenant has, or may get at any moment, by its first one."""
        return max(self.shards, limits(self.plan).wallet_shards)

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
        credits = self.available + self.held + self.spent_ever - self.granted + self.returned
        budget = self.budget_left + self.held + self.spent - self.budget
        return MicroCredits(abs(credits) + abs(budget))


def fresh_quotas(plan: str) -> dict[str, int]:
    """Calls of each service at the start of a month of `plan`."""
    monthly = limits(Plan(plan)).monthly_quotas
    return {service: monthly[service] for service in SERVICES}


def new_wallet(
    wallet_id: str,
    plan: str,
    month: int,
    *,
    budget: MicroCredits = NO_BUDGET,
    status: str = ACTIVE,
    bonus: MicroCredits = NOTHING,
) -> Wallet:
    """A wallet of which nothing is spent. A sign-up `bonus` needs an entry in the same transaction."""
    return Wallet(
        wallet_id=wallet_id,
        plan=str(plan),
        status=status,
        month=month,
        available=bonus,
        granted=bonus,
        spent=NOTHING,
        spent_before=NOTHING,
        budget=budget,
        budget_left=budget,
        holds={},
        quotas=fresh_quotas(plan),
        bonus=bonus,
    )
