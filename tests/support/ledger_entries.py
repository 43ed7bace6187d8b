"""Entries of a tenant that were never holds, written straight into the ledger, and the sums that they should give."""

from collections import Counter
from collections.abc import Sequence

from callmissed.aws.database import Database
from callmissed.clock import Micros
from callmissed.ids import new_call_id
from callmissed.ledger.entries import Account, EntryType, LedgerEntry, to_record
from callmissed.money import MicroCredits
from callmissed.platform.tables import LEDGER

_SPENT = (EntryType.DEDUCTION, EntryType.VOID)


def entry_at(tenant: str, moment: int, amount: int, kind: EntryType = EntryType.DEDUCTION) -> LedgerEntry:
    """An entry of `moment`; credits are taken back where a grant's `amount` is below zero."""
    debit, credit = (Account.HELD, Account.REVENUE) if kind in _SPENT else (Account.PROMOTION, Account.AVAILABLE)
    if amount < 0:
        debit, credit = credit, debit
    now = Micros(moment)
    size = MicroCredits(abs(amount))
    return LedgerEntry(tenant, new_call_id(now, 1), kind, size, debit, credit, now, reference="r")


async def write_entries(database: Database, entries: Sequence[LedgerEntry]) -> None:
    """Write them, whatever the wallets say."""
    await database.put_all(LEDGER, [to_record(entry) for entry in entries])


def balances_after(entries: Sequence[LedgerEntry]) -> dict[str, int]:
    """The sum of all entries up to each, by id."""
    after: dict[str, int] = {}
    balance = 0
    for entry in sorted(entries, key=lambda each: each.entry_id):
        balance += entry.change
        after[entry.entry_id] = balance
    return after


def summed(entries: Sequence[LedgerEntry]) -> tuple[Counter[str], Counter[str]]:
    """Counts and totals by type."""
    moved = [entry for entry in entries if entry.amount]
    totals = Counter[str]()
    for entry in moved:
        totals[entry.type] += entry.change
    return Counter(str(entry.type) for entry in moved), totals
