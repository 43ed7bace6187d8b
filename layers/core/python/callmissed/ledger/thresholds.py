"""Thresholds at which a tenant gets an event about its money: rules over a balance, without I/O.

    budget.alert      80 % of the month's budget is spent, then 95 %: once a month for each, and for each budget
    budget.exceeded   less than 1 % of the budget is left, and at most 10 credits: once a month for each budget
    credits.low       fewer credits are left than the threshold: once after each grant, and after 32 days again

A tenant may have a threshold of its own, and may want no events about its budget. In debt, no credits are left.
Credits held by calls in flight count as left, because most of them are given back. A budget is hardly ever spent to the
last micro-credit: a call is refused when its maximum cost does not fit, and a refused call leaves no entry. So the
event is published when so little is left that calls are refused: a long call to an expensive model may cost 10 credits.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace

from callmissed.events.types import BudgetAlert, BudgetExceeded, CreditsLow, EventData
from callmissed.ledger.entries import Account, EntryType, LedgerEntry
from callmissed.ledger.queries import Balance
from callmissed.ledger.wallet import Wallet
from callmissed.money import CREDIT, NOTHING, MicroCredits, credits

ALERTS = (80, 95)
"""Percentages of the month's budget at which `budget.alert` is published."""

_MAX_LEFT = 10 * CREDIT


@dataclass(frozen=True, slots=True)
class Crossing:
    """A threshold that a balance has passed. `unique` stays the same for as long as the event must not be repeated."""

    data: EventData
    unique: str


def moves_money(entry: LedgerEntry) -> bool:
    """Whether the entry may move a tenant past a threshold: a call with a cost, or credits taken back."""
    leaves = entry.type is EntryType.DEDUCTION or entry.debit is Account.AVAILABLE
    return leaves and entry.amount != 0 and not entry.sandbox


def settled(wallet: Wallet, entries: Collection[LedgerEntry]) -> Wallet:
    """`wallet` after `entries`, which are written before the wallet changes: their holds are resolved."""
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
    """Every threshold that `balance` has passed. `low_credits` is in credits, for a tenant without its own."""
    if balance.budget is not None and balance.alerts:
        yield from _of_budget(balance, balance.budget)
    threshold = low_credits if balance.low_credits is None else balance.low_credits
    left = max(NOTHING, MicroCredits(balance.available - balance.debt + balance.held))
    if left < threshold * CREDIT:
        data = CreditsLow(available_credits=credits(left), threshold_credits=float(threshold))
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
