"""Transactions: the entries that move a tenant's credits, newest first, with the balance after each.

One request reads the checkpoint before its page, the entries from there to the page's end, and the two ends of the
range that it sums. It ends early, with a shorter page, rather than read much more than that.
"""

from collections import deque
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from callmissed.aws.database import Database
from callmissed.clock import Micros
from callmissed.errors import ApiError
from callmissed.ids import sortable_prefix
from callmissed.ledger.entries import EntryType, LedgerEntry
from callmissed.ledger.history.checkpoints import (
    SEGMENT,
    Checkpoint,
    checkpoints,
    entries_between,
    final_before,
    generation,
    newest,
    write_checkpoints,
)
from callmissed.ledger.history.sums import EntrySums
from callmissed.ledger.shards import read_wallets
from callmissed.money import MicroCredits
from callmissed.plans.plans import Plan, limits

MAX_READ = 50_000
"""Entries that one request reads at most."""

_ENOUGH_FOR_A_PAGE = 10_000
"""Entries after which a page ends that a filter leaves short."""

_MAX_SEGMENTS = 3_000
"""Checkpoints after which such a page ends."""

_MAX_SHARDS = max(limits(plan).wallet_shards for plan in Plan)
_TRIES = 3
_NOW = "~"
_MILLISECOND = 1000


@dataclass(frozen=True, slots=True)
class Transaction:
    """An entry, and the tenant's credits after it: the sum of all entries up to it, whatever the filter."""

    entry: LedgerEntry
    balance_after: MicroCredits


@dataclass(frozen=True, slots=True)
class TransactionFilter:
    """Which transactions: those from `since` on, those before `before`, those of one type. None is all."""

    since: Micros | None = None
    before: Micros | None = None
    type: EntryType | None = None

    @property
    def lowest(self) -> str:
        """No id of an entry in the range is lower."""
        return "" if self.since is None else _bound(self.since)

    @property
    def below(self) -> str:
        """Every id of an entry in the range is lower."""
        return _NOW if self.before is None else _bound(self.before)

    def takes(self, entry: LedgerEntry) -> bool:
        """Whether `entry`, which is before the range's end, is shown."""
        return entry.amount > 0 and entry.entry_id >= self.lowest and self.type in (None, entry.type)


@dataclass(frozen=True, slots=True)
class TransactionPage:
    """A page, and sums over the whole filter. The next page has the ids below `next`; None after the last."""

    transactions: list[Transaction]
    next: str | None
    sums: EntrySums


@dataclass(frozen=True, slots=True)
class _Segment:
    """The entries after a checkpoint and below an id. `ends` are the sums at its end, None where unknown."""

    start: Checkpoint
    below: str
    ends: EntrySums | None

    def lacks(self, kind: EntryType | None) -> bool:
        """Whether no entry of the type is in it, as far as checkpoints show."""
        return kind is not None and self.ends is not None and self.ends.counts[kind] == self.start.sums.counts[kind]


async def transactions(
    database: Database, tenant: str, wanted: TransactionFilter, now: Micros, *, limit: int, below: str = _NOW
) -> TransactionPage:
    """At most `limit` transactions with ids below `below`, newest first, and the sums over the filter.

    Raises ApiError 503 where more entries are too new for a checkpoint than one request may read, Unavailable.
    """
    for _ in range(_TRIES):
        reader = _Reader(database, tenant, await generation(database, tenant))
        try:
            page = await reader.page(wanted, limit, min(below, wanted.below))
            sums = await reader.sums(wanted)
        finally:
            if reader.has_long_segment:
                wallets = await read_wallets(database, tenant, _MAX_SHARDS)
                await write_checkpoints(database, tenant, final_before(wallets, now), max_entries=MAX_READ)
        if await generation(database, tenant) == reader.generation:
            return TransactionPage(*page, sums)
    raise ApiError(409, "conflict", "The history changed at the same time. Please retry.")


class _Reader:
    """One request's reads, each segment once."""

    def __init__(self, database: Database, tenant: str, number: int) -> None:
        self.generation = number
        self._database = database
        self._tenant = tenant
        self._entries: dict[tuple[str, str], list[LedgerEntry]] = {}
        self._read = 0

    @property
    def has_long_segment(self) -> bool:
        """Whether checkpoints are due."""
        return any(len(entries) > 2 * SEGMENT for entries in self._entries.values())

    async def page(self, wanted: TransactionFilter, limit: int, below: str) -> tuple[list[Transaction], str | None]:
        """The transactions, and below which id the next page begins."""
        found: list[Transaction] = []
        passed = 0
        segments = self._segments(wanted.lowest, below)
        async with aclosing(segments):
            async for segment in segments:
                passed += 1
                if not segment.lacks(wanted.type):
                    found += await self._newest(segment, wanted, limit + 1 - len(found))
                if len(found) > limit:
                    return found[:limit], found[limit - 1].entry.entry_id
                is_enough = self._read >= _ENOUGH_FOR_A_PAGE or passed >= _MAX_SEGMENTS
                if is_enough and segment.start.upto > wanted.lowest:
                    return found, f"{segment.start.upto}0"
        return found, None

    async def sums(self, wanted: TransactionFilter) -> EntrySums:
        """The sums over the filter."""
        if wanted.lowest >= wanted.below:
            return EntrySums()
        end = await self._sums_below(wanted.below)
        found = end.since(await self._sums_below(wanted.lowest))
        if wanted.type is not None:
            for others in [kind for kind in found.counts if kind != wanted.type]:
                del found.counts[others], found.totals[others]
        return found

    async def _sums_below(self, below: str) -> EntrySums:
        start = await newest(self._database, self._tenant, self.generation, below)
        return start.sums.copy().add_all(await self._in(_Segment(start, below, None)))

    async def _segments(self, lowest: str, below: str) -> AsyncGenerator[_Segment]:
        """The segments from `below` down to the one that has `lowest`."""
        ends: EntrySums | None = None
        found = checkpoints(self._database, self._tenant, self.generation, below)
        async with aclosing(found):
            async for start in found:
                yield _Segment(start, below, ends)
                if start.upto < lowest:
                    return
                below, ends = f"{start.upto}0", start.sums

    async def _newest(self, segment: _Segment, wanted: TransactionFilter, limit: int) -> list[Transaction]:
        sums = segment.start.sums.copy()
        found = deque[Transaction](maxlen=limit)
        for entry in await self._in(segment):
            sums.add(entry)
            if wanted.takes(entry):
                found.append(Transaction(entry, sums.balance))
        return [*reversed(found)]

    async def _in(self, segment: _Segment) -> Sequence[LedgerEntry]:
        key = (segment.start.upto, segment.below)
        if key not in self._entries:
            entries = self._entries[key] = []
            found = entries_between(self._database, self._tenant, *key)
            async with aclosing(found):
                async for entry in found:
                    entries.append(entry)
                    self._read += 1
                    if self._read > MAX_READ:
                        raise _too_many()
        return self._entries[key]


def _bound(moment: Micros) -> str:
    """Entries of the millisecond of `moment`, or the next one if it is no whole one, have no lower ids."""
    return sortable_prefix(Micros(-(-max(moment, 0) // _MILLISECOND) * _MILLISECOND))


def _too_many() -> ApiError:
    message = "Too many entries are new. Please retry, or ask for those before an hour ago."
    return ApiError(503, "service_unavailable", message, headers={"Retry-After": "1"})
