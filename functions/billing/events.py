"""The function `ledger-events`: follows the ledger's stream, and tells tenants of thresholds that they have passed.

Entries come in batches, at least once; an event's id says which passing it tells of, so it is told once. What a batch
costs: a strongly consistent read of each wallet that was charged in it (8 of a tenant with shards, twice), and a write
for each threshold that this process does not know to be told.
https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

from callmissed.aws.batches import Change, Failures, changes, from_here
from callmissed.aws.database import Database
from callmissed.aws.dynamodb import DynamoDB, DynamoError, Unavailable
from callmissed.aws.runtime import run
from callmissed.clock import Clock, system_clock
from callmissed.events.outbox import new_event, publish
from callmissed.ledger.entries import LedgerEntry, entry_of
from callmissed.ledger.queries import Balance, total
from callmissed.ledger.shards import read_wallets
from callmissed.ledger.thresholds import crossings, moves_money, settled
from callmissed.observability import get_logger
from callmissed.plans.plans import limits
from callmissed.settings import from_environment

_LOOKS = 4
_REMEMBERED = 10_000

_logger = get_logger("ledger-events")


def handler(event: dict[str, Any], _context: object) -> Failures:
    """Tell of what the batch's entries brought about. What fails, and all that follows it, is delivered again."""
    failed = run(_teller().tell(changes(event)))
    return from_here([failed] if failed else [])


class Teller:
    """Tells the tenants of one stage. Share one per process: it remembers what it told."""

    def __init__(self, database: Database, low_credits: int, clock: Clock) -> None:
        self._database = database
        self._low_credits = low_credits
        self._clock = clock
        self._told: set[str] = set()

    async def tell(self, entries: Sequence[Change]) -> Change | None:
        """Look at every tenant charged in the stream's `entries`. Returns the first that failed, if any."""
        for tenant, charged in _charged(entries).items():
            try:
                await self._look_at(tenant, [entry_of(change.item) for change in charged])
            except DynamoError:
                _logger.warning("a tenant's thresholds could not be looked at", extra={"tenant": tenant}, exc_info=True)
                return charged[0]
        return None

    async def close(self) -> None:
        """Drop the connections."""
        await self._database.close()

    async def _look_at(self, tenant: str, entries: list[LedgerEntry]) -> None:
        balance = await _balance(self._database, tenant, entries)
        for crossing in crossings(balance, self._low_credits) if balance else ():
            event = new_event(tenant, crossing.data, self._clock(), unique=crossing.unique)
            if event.id not in self._told:
                await publish(self._database, event)
                self._remember(event.id)

    def _remember(self, event_id: str) -> None:
        if len(self._told) >= _REMEMBERED:
            self._told.clear()
        self._told.add(event_id)


def _charged(entries: Sequence[Change]) -> dict[str, list[Change]]:
    """Entries that moved money by tenant, in the order of the tenants' first ones."""
    found: dict[str, list[Change]] = {}
    for change in entries:
        if change.operation == "INSERT" and moves_money(entry_of(change.item)):
            found.setdefault(change.item["tenant"], []).append(change)
    return found


async def _balance(database: Database, tenant: str, entries: list[LedgerEntry]) -> Balance | None:
    """The tenant's balance after `entries`; None when it has no wallet. Raises Unavailable.

    Shards are looked at until two looks agree on what they were given in all: one that borrows between the reads of a
    single look would make it wrong, and the wrong sum a new passing.
    """
    first = await _look(database, tenant, entries, 1)
    if first is None or (shards := limits(first.plan).wallet_shards) == 1:
        return first
    last = None
    for _ in range(_LOOKS):
        found = await _look(database, tenant, entries, shards)
        if last and found and (last.granted, last.budget) == (found.granted, found.budget):
            return found
        last = found
    raise Unavailable("the shards kept changing", indeterminate=False)


async def _look(database: Database, tenant: str, entries: list[LedgerEntry], shards: int) -> Balance | None:
    wallets = await read_wallets(database, tenant, shards)
    if not wallets:
        return None
    month = max(wallet.month for wallet in wallets)
    return total([settled(wallet, entries) for wallet in wallets], month)


@cache
def _teller() -> Teller:
    settings = from_environment()
    database = Database(DynamoDB(settings.region, settings.dynamodb_endpoint), settings.stage)
    return Teller(database, settings.low_credits, system_clock)
