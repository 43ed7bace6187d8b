"""Transactions equal a model that sums everything: any entries, pages, filters, checkpoints and late entries."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from callmissed.aws.database import Database
from callmissed.clock import MINUTE, SECOND, Micros
from callmissed.ids import new_id, started_at
from callmissed.ledger.entries import EntryType, LedgerEntry
from callmissed.ledger.history import checkpoints, transactions
from callmissed.ledger.history.checkpoints import final_before, past_changed_operation, write_checkpoints
from callmissed.ledger.history.transactions import TransactionFilter
from local.aws.tables import StageTables
from tests.support.faults import FaultyDynamoDB
from tests.support.ledger_entries import balances_after, entry_at, summed, write_entries

START = 1_794_787_200 * SECOND
HOUR = 60 * MINUTE
HOURS = 60
KINDS = (EntryType.DEDUCTION, EntryType.DEDUCTION, EntryType.VOID, EntryType.PURCHASE, EntryType.REFUND)

moments = st.integers(0, HOURS * 4).map(lambda quarter: START + quarter * HOUR // 4)
ranges = st.builds(
    TransactionFilter,
    since=st.none() | moments,
    before=st.none() | moments,
    type=st.sampled_from([None, None, EntryType.DEDUCTION, EntryType.PURCHASE, EntryType.COUPON]),
)


@pytest.fixture(autouse=True)
def short_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "SEGMENT", 3)
    monkeypatch.setattr(transactions, "SEGMENT", 3)
    monkeypatch.setattr(transactions, "_ENOUGH_FOR_A_PAGE", 7)
    monkeypatch.setattr(transactions, "_MAX_SEGMENTS", 4)


@st.composite
def drawn_entries(draw: st.DrawFn, low: int, high: int) -> list[LedgerEntry]:
    """Entries from hour `low` to hour `high`."""
    count = draw(st.integers(0, 12))
    found: list[LedgerEntry] = []
    for _ in range(count):
        kind = draw(st.sampled_from(KINDS))
        amount = 0 if kind is EntryType.VOID else draw(st.integers(0, 1000))
        signed = -amount if kind is EntryType.REFUND else amount
        found.append(entry_at("", draw(st.integers(START + low * HOUR, START + high * HOUR)), signed, kind))
    return found


async def everything(
    database: Database, tenant: str, wanted: TransactionFilter, limit: int, now: Micros
) -> tuple[list[Any], Any]:
    """All pages of the filter, and the sums, which are the same with each."""
    rows: list[Any] = []
    below = "~"
    while True:
        page = await transactions.transactions(database, tenant, wanted, now, limit=limit, below=below)
        rows += [(row.entry.entry_id, row.balance_after) for row in page.transactions]
        assert len(page.transactions) <= limit
        if page.next is None:
            return rows, page.sums
        assert page.next < below
        below = page.next


@settings(max_examples=max(8, settings().max_examples // 5))
@given(data=st.data())
def test_pages_and_sums_equal_the_model(
    data: st.DataObject, loop: asyncio.AbstractEventLoop, module_tables: StageTables, dynamodb: FaultyDynamoDB
) -> None:
    database, tenant = Database(dynamodb, module_tables.stage), new_id("tnt")
    entries: list[LedgerEntry] = []

    async def write(more: list[LedgerEntry]) -> None:
        nonlocal entries
        own = [replace(entry, tenant=tenant) for entry in more]
        await write_entries(database, own)
        entries += own

    async def scenario() -> None:
        hour = 0
        for _ in range(data.draw(st.integers(1, 5), "steps")):
            later = data.draw(st.integers(hour, HOURS), "hour")
            await write(data.draw(drawn_entries(max(0, hour - 1), later), "entries"))  # none is final already
            hour = later
            now = Micros(START + hour * HOUR)
            if data.draw(st.booleans(), "checkpoints"):
                most = data.draw(st.sampled_from([0, 4]))
                await write_checkpoints(database, tenant, final_before([], now), max_entries=most)
            if data.draw(st.integers(0, 3), "late") == 0:
                event("late entries")
                await database.transact([past_changed_operation(tenant)])
                await write(data.draw(drawn_entries(0, hour), "late entries"))
                await database.transact([past_changed_operation(tenant)])
            await compare(now)

    async def compare(now: Micros) -> None:
        wanted, limit = data.draw(ranges, "filter"), data.draw(st.integers(1, 6), "limit")
        rows, sums = await everything(database, tenant, wanted, limit, now)
        after = balances_after(entries)
        taken = [entry for entry in entries if _in(wanted, entry)]
        shown = sorted((entry.entry_id for entry in taken), reverse=True)
        assert rows == [(entry_id, after[entry_id]) for entry_id in shown]
        assert (sums.counts, sums.totals) == summed(taken)

    loop.run_until_complete(scenario())


def _in(wanted: TransactionFilter, entry: LedgerEntry) -> bool:
    moment = started_at(entry.entry_id)
    return (
        entry.amount > 0
        and (wanted.since is None or moment >= wanted.since)
        and (wanted.before is None or moment < wanted.before)
        and wanted.type in (None, entry.type)
    )
