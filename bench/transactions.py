"""What a page of transactions reads where a tenant has a long history: `python -m bench.transactions [entries]`.

Writes so many entries of calls, one a second, as many purchases as one in a thousand, and their checkpoints; then asks
for pages as a console does, and prints each one's round trips and read units. A million takes some minutes.
"""

import asyncio
import sys
from collections.abc import Iterator

from bench.cost import Meter
from bench.ours import REGION
from bench.steps import fresh_tables
from callmissed.aws.database import Database
from callmissed.aws.dynamodb import DynamoDB
from callmissed.clock import SECOND, Micros, system_clock
from callmissed.ledger.entries import EntryType, LedgerEntry
from callmissed.ledger.history.checkpoints import write_checkpoints
from callmissed.ledger.history.transactions import TransactionFilter, transactions
from callmissed.money import CREDIT
from callmissed.plans.plans import Plan
from callmissed.tenants.tenants import create_tenant
from local.aws.tables import StageTables
from tests.support.ledger_entries import entry_at, write_entries

ENTRIES = 1_000_000
_BATCH = 1_000


def entries(tenant: str, count: int, now: Micros) -> Iterator[list[LedgerEntry]]:
    """`count` entries up to an hour ago, the oldest first, some at a time."""
    first = now - (count + 3_700) * SECOND
    for start in range(0, count, _BATCH):
        moments = [Micros(first + number * SECOND) for number in range(start, min(count, start + _BATCH))]
        purchase = entry_at(tenant, moments[0], CREDIT, EntryType.PURCHASE)
        yield [purchase, *(entry_at(tenant, moment, 500) for moment in moments[1:])]


async def measure(tables: StageTables, count: int) -> list[tuple[str, int, float]]:
    """What each kind of page takes: its title, round trips and read units."""
    meter, now = Meter(), system_clock()
    dynamodb = DynamoDB(REGION, tables.endpoint, timeout_seconds=60, observe=meter.count)
    database = Database(dynamodb, tables.stage)
    try:
        tenant = (await create_tenant(database, name="Long", plan=Plan.PRO, now=now)).tenant_id
        for some in entries(tenant, count, now):
            await write_entries(database, some)
        meter.reset()
        await write_checkpoints(database, tenant, "~")
        rows = [("checkpoints of all entries, written once", meter.round_trips, meter.read_units)]
        oldest = Micros(now - (count + 3_700) * SECOND)
        for title, wanted in {
            "first page": TransactionFilter(),
            "first page of the last 30 days": TransactionFilter(since=Micros(now - 30 * 86_400 * SECOND)),
            "page in the middle": TransactionFilter(before=Micros((now + oldest) // 2)),
            "purchases, one entry in a thousand": TransactionFilter(type=EntryType.PURCHASE),
            "a type that never was": TransactionFilter(type=EntryType.COUPON),
        }.items():
            meter.reset()
            page = await transactions(database, tenant, wanted, now, limit=50)
            rows.append((f"{title} ({len(page.transactions)} shown)", meter.round_trips, meter.read_units))
        return rows
    finally:
        await dynamodb.close()


def main() -> None:
    """Measure, and print."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else ENTRIES
    with fresh_tables("transactions") as tables:
        rows = asyncio.run(measure(tables, count))
    for title, round_trips, units in rows:
        print(f"{title}: {round_trips} round trips, {units:g} read units")


if __name__ == "__main__":
    main()
