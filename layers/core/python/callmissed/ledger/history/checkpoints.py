"""Checkpoints: sums of a tenant's entries from the first one on, stored after every thousandth entry.

With them, the balance after any entry and the sums of any range cost a read of a thousand entries at each end at most,
however many there are between. A checkpoint covers final entries only: those of calls that began an hour ago and hold
nothing. The nightly reconciliation writes checkpoints, and a reader who finds too many entries behind the last one.

    <tenant>   CHECKPOINTS                        the generation that counts
    <tenant>   CHECKPOINT#<generation>#<entry>    the sums of all entries up to that one

What changes the past begins a new generation, in the transaction of the change where there is one: an entry whose id is
earlier than its writing, or a drift that made the reconciliation count again. Checkpoints of older generations are
not read any more, and deleted before the first ones of a new generation are written.
"""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from callmissed.aws.attributes import Item
from callmissed.aws.comparisons import between
from callmissed.aws.database import Database, KeySelection
from callmissed.aws.operations import WriteOperation, update_operation
from callmissed.clock import MINUTE, Micros, month_end
from callmissed.ids import sortable_prefix
from callmissed.ledger.entries import LedgerEntry, entry_of
from callmissed.ledger.history.sums import EntrySums
from callmissed.ledger.wallet import Wallet
from callmissed.platform.tables import LEDGER, TENANTS

SEGMENT = 1000
"""Entries from one checkpoint to the next."""

_GENERATION = "CHECKPOINTS"
_SETTLED_AFTER = 60 * MINUTE
"""Entries of calls that began longer ago, and hold nothing, are final: a hold lives a third of that time."""

_ATTRIBUTES = ("tenant", "entry", "type", "amount", "debit", "credit", "created", "description", "reference")
_LAST = "~"
"""Sorts behind every id of an entry."""

_BATCH = 25


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The sums of all entries up to `upto`, which is the id of one; empty before the first entry."""

    upto: str
    sums: EntrySums


def final_before(wallets: Sequence[Wallet], now: Micros) -> str:
    """Entries with lower ids are final, if these wallets, the first one first, were read before the entries are.

    Entries of a month that the first wallet has not begun are not: the grant that comes with the month's first call has
    an id of the month's first moment.
    """
    months = [sortable_prefix(month_end(wallet.month)) for wallet in wallets[:1]]
    cut = sortable_prefix(Micros(now - _SETTLED_AFTER))
    return min([cut, *months, *(call_id for wallet in wallets for call_id in wallet.holds)])


async def generation(database: Database, tenant: str) -> int:
    """The generation of checkpoints that counts, strongly consistent."""
    return (await database.get(TENANTS, _generation_key(tenant))).get("generation", 0)


def past_changed_operation(tenant: str) -> WriteOperation:
    """The operation that makes all checkpoints void, for the transaction that changes the past."""
    return update_operation(TENANTS, _generation_key(tenant), add={"generation": 1}, upsert=True)


def late_operations(entry: LedgerEntry) -> list[WriteOperation]:
    """Operations for the transaction that writes `entry`: they void checkpoints if its id is old."""
    is_late = entry.entry_id < sortable_prefix(Micros(entry.created - _SETTLED_AFTER // 2))
    return [past_changed_operation(entry.tenant)] if is_late else []


async def checkpoints(
    database: Database, tenant: str, number: int, below: str = _LAST, *, limit: int = 0
) -> AsyncGenerator[Checkpoint]:
    """The checkpoints of generation `number` before the id `below`, the latest first, and last the empty one."""
    prefix = _prefix(number)
    keys: KeySelection = {"sort": between(prefix, prefix + below), "newest_first": True, "consistent": True}
    if limit:
        keys["limit"] = limit
    found = database.query(TENANTS, tenant, **keys)
    async with aclosing(found):
        async for item in found:
            checkpoint = _checkpoint_of(item, prefix)
            if checkpoint.upto != below:
                yield checkpoint
    yield Checkpoint("", EntrySums())


async def newest(database: Database, tenant: str, number: int, below: str = _LAST) -> Checkpoint:
    """The latest checkpoint of generation `number` before the id `below`."""
    found = checkpoints(database, tenant, number, below, limit=2)
    async with aclosing(found):
        return await anext(found)


async def entries_between(
    database: Database, tenant: str, after: str, below: str = _LAST
) -> AsyncGenerator[LedgerEntry]:
    """Entries with ids above `after` and below `below`, the oldest first, strongly consistent."""
    lowest = f"{after}0"  # no id is between `after` and it with one more letter
    if lowest > below:
        return
    found = database.query(LEDGER, tenant, sort=between(lowest, below), attributes=_ATTRIBUTES, consistent=True)
    async with aclosing(found):
        async for item in found:
            if item["entry"] != below:
                yield entry_of(item)


async def write_checkpoints(database: Database, tenant: str, cut: str, *, max_entries: int = 0) -> None:
    """Write the checkpoints that are due among the entries below `cut`, which are final; at most so many entries.

    May run any number of times, at once too: final entries give the same checkpoints each time.
    """
    number = await generation(database, tenant)
    last = await newest(database, tenant, number)
    entries = entries_between(database, tenant, last.upto, cut)
    sums, start = last.sums, last.sums.entries
    due: list[Item] = []
    if number and not start:  # first: a run that dies amid it leaves the rest to the next one
        await _delete_older(database, tenant, number)
    async with aclosing(entries):
        async for entry in entries:
            sums.add(entry)
            if sums.entries % SEGMENT == 0:
                due.append(_record(tenant, number, Checkpoint(entry.entry_id, sums)))
            if len(due) == _BATCH:
                await database.put_all(TENANTS, due)
                due.clear()
            if sums.entries - start == max_entries:
                break
    await database.put_all(TENANTS, due)


async def _delete_older(database: Database, tenant: str, number: int) -> None:
    """Delete the checkpoints of generations before `number`. Who reads them begins anew: they don't count any more."""
    older = database.query(TENANTS, tenant, sort=between(_prefix(0), _prefix(number)), attributes=("tenant", "item"))
    await database.delete_all(TENANTS, [key async for key in older])


def _generation_key(tenant: str) -> Item:
    return {"tenant": tenant, "item": _GENERATION}


def _prefix(number: int) -> str:
    return f"CHECKPOINT#{number:06}#"


def _record(tenant: str, number: int, checkpoint: Checkpoint) -> Item:
    sums = checkpoint.sums
    return {
        "tenant": tenant,
        "item": _prefix(number) + checkpoint.upto,
        "entries": sums.entries,
        "counts": {str(kind): count for kind, count in sums.counts.items()},
        "totals": {str(kind): amount for kind, amount in sums.totals.items()},
    }


def _checkpoint_of(item: Item, prefix: str) -> Checkpoint:
    sums = EntrySums(item["entries"])
    sums.counts.update(item["counts"])
    sums.totals.update(item["totals"])
    return Checkpoint(item["item"].removeprefix(prefix), sums)
