"""Counts and totals of entries by type."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Self

from callmissed.ledger.entries import LedgerEntry
from callmissed.money import MicroCredits


@dataclass(slots=True)
class EntrySums:
    """Entries up to some point: how many in all, and by type the count and the total of those that move credits.

    The total of a type is signed: what its entries add to the tenant's credits.
    """

    entries: int = 0
    counts: Counter[str] = field(default_factory=Counter[str])
    totals: Counter[str] = field(default_factory=Counter[str])

    @property
    def balance(self) -> MicroCredits:
        """The tenant's credits after these entries, held ones included."""
        return MicroCredits(self.totals.total())

    def add(self, entry: LedgerEntry) -> None:
        """Count `entry`."""
        self.entries += 1
        if entry.amount:
            self.counts[entry.type] += 1
            self.totals[entry.type] += entry.change

    def add_all(self, entries: Collection[LedgerEntry]) -> Self:
        """Count `entries`."""
        for entry in entries:
            self.add(entry)
        return self

    def copy(self) -> "EntrySums":
        """The same sums, to count further."""
        return EntrySums(self.entries, self.counts.copy(), self.totals.copy())

    def since(self, earlier: "EntrySums") -> "EntrySums":
        """The sums of the entries that `earlier` does not have."""
        counts = {kind: count - earlier.counts[kind] for kind, count in self.counts.items()}
        totals = {kind: amount - earlier.totals[kind] for kind, amount in self.totals.items() if counts[kind]}
        return EntrySums(
            self.entries - earlier.entries,
            Counter({kind: count for kind, count in counts.items() if count}),
            Counter(totals),
        )
