"""When a tenant is told of its money: rules over a balance, and no I/O.

    budget.alert      80 % of the month's budget are spent, and 95 %: once a month for each, and for each budget
    budget.exceeded   less than 1 % of it is left, and not more than 10 credits: once a month for each budget
    credits.low       fewer credits are left than the threshold: once after each grant, and after 32 days again

Money held by calls in flight counts as left, as most of it comes back. A budget is hardly ever spent to the last
micro-credit: a call is refused when the most that it may cost does not fit, which the ledger never sees. So a tenant is
told when little enough is left that calls are being refused: 10 credits are what a long call to a dear model may cost.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace

from callmissed.events.types import BudgetAlert, BudgetExceeded, CreditsLow, EventData
from callmissed.ledger.entries import EntryType, LedgerEntry
from callmissed.ledger.queries import Balance
from callmissed.ledger.wallet import Wallet
from callmissed.money import CREDIT, MicroCredits, credits

ALERTS = (80, 95)
"""Percentages of the month's budget at which tenants are told."""

_MAX_LEFT = 10 * CREDIT


@dataclass(frozen=True, slots=True)
class Crossing:
    """A threshold that a balance is past. `unique` is the same for as long as it is not to be told again."""

    data: EventData
    unique: str


def moves_money(entry: LedgerEntry) -> bool:
    """Whether the entry may bring a tenant past a threshold: a call that cost something."""
    return entry.type is EntryType.DEDUCTION and entry.amount != 0 and not entry.sandbox


def settled(wallet: Wallet, entries: Collection[LedgerEntry]) -> Wallet:
    """`wallet` as it will be after `entries`, which are written before it: holds that they resolve are resolved."""
    for entry in entries:
        token = wallet.holds.get(entry.entry_id)
        if token and (token.amount, token.attempt) == entry.held:
            back = token.amount - entry.amount
            wallet = replace(
                wallet,
                available=wallet.available + back,
                budget_left=wallet.budget_left + back,
                spent=wallet.spent + entry.amount,
                holds={call_id: other for call_id, other in wallet.holds.items() if call_id != entry.entry_id},
            )
    return wallet


def crossings(balance: Balance, low_credits: int) -> Iterator[Crossing]:
    """Every threshold that `balance` is past. `low_credits` is in credits."""
    if balance.budget is not None:
        yield from _of_budget(balance, balance.budget)
    left = MicroCredits(balance.available + balance.held)
    if left < low_credits * CREDIT:
        data = CreditsLow(available_credits=credits(left), threshold_credits=float(low_credits))
        yield Crossing(data, str(balance.granted))


def _of_budget(balance: Balance, budget: MicroCredits) -> Iterator[Crossing]:
    left = MicroCredits(budget - balance.spent)
    period = f"{balance.month // 100}-{balance.month % 100:02}"
    used, whole, rest = credits(balance.spent), credits(budget), credits(left)
    for percent in ALERTS:
        if balance.spent * 100 >= budget * percent:
            alert = BudgetAlert(
                period=period,
                threshold_percent=percent,
                monthly_budget_credits=whole,
                period_used_credits=used,
                remaining_credits=rest,
            )
            yield Crossing(alert, f"{period} {percent} {budget}")
    if left <= 0 or (left * 100 < budget and left <= _MAX_LEFT):
        exceeded = BudgetExceeded(
            period=period, monthly_budget_credits=whole, period_used_credits=used, remaining_credits=rest
        )
        yield Crossing(exceeded, f"{period} {budget}")
