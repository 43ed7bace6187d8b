"""Publishes events about passed thresholds, from the ledger's entries.

Entries come in batches, at least once; an event's id identifies the passing of a threshold, so it is published once.
The cost of a batch: a strongly consistent read of each charged wallet (8 for a tenant with shards, twice), and a write
for each threshold that this process has not published before.
"""

from collections.abc import Sequence

from callmissed.aws.batches import Change
from callmissed.aws.database import Database
from callmissed.aws.dynamodb import DynamoError, Unavailable
from callmissed.clock import Clock
from callmissed.events.outbox import new_event, publish
from callmissed.ledger.entries import LedgerEntry, entry_of
from callmissed.ledger.queries import Balance, total
from callmissed.ledger.shards import read_wallets
from callmissed.ledger.thresholds import crossings, moves_money, settled
from callmissed.ledger.wallet import Wallet
from callmissed.observability import get_logger

_LOOKS = 4
_REMEMBERED = 10_000

_logger = get_logger("ledger-events")

Charged = list[tuple[Change, LedgerEntry]]
"""Entries that charged one tenant, each with its record in the stream."""


class ThresholdNotifier:
    """Notifies the tenants of one stage. Share one per process: it caches the ids that it published."""

    def __init__(self, database: Database, low_credits: int, clock: Clock) -> None:
        self._database = database
        self._low_credits = low_credits
        self._clock = clock
        self._published: set[str] = set()

    async def notify(self, records: Sequence[Change]) -> Change | None:
        """Check every tenant charged in the stream's `records`. Returns the first record that failed, if any."""
        for tenant, charged in _charged(records).items():
            try:
                await self._look_at(tenant, [entry for _, entry in charged])
            except DynamoError:
                _logger.warning("a tenant's thresholds could not be checked", extra={"tenant": tenant}, exc_info=True)
                return charged[0][0]
        return None

    async def _look_at(self, tenant: str, entries: list[LedgerEntry]) -> None:
        balance = await _balance(self._database, tenant, entries)
        for crossing in crossings(balance, self._low_credits) if balance else ():
            event = new_event(tenant, crossing.data, self._clock(), unique=crossing.unique)
            if event.id not in self._published:
                await publish(self._database, event)
                self._remember(event.id)

    def _remember(self, event_id: str) -> None:
        if len(self._published) >= _REMEMBERED:
            self._published.clear()
        self._published.add(event_id)


def _charged(records: Sequence[Change]) -> dict[str, Charged]:
    """Entries with a cost by tenant, in the order of each tenant's first entry."""
    found: dict[str, Charged] = {}
    for record in records:
        if record.operation == "INSERT" and moves_money(entry := entry_of(record.item)):
            found.setdefault(entry.tenant, []).append((record, entry))
    return found


async def _balance(database: Database, tenant: str, entries: list[LedgerEntry]) -> Balance | None:
    """The tenant's balance after `entries`; None when it has no wallet. Raises Unavailable.

    Shards are read until two passes agree on the sum of their grants: a shard that borrows between the reads of one
    pass would give a wrong sum, and an event for it.
    """
    wallets = await read_wallets(database, tenant, 1)
    if not wallets:
        return None
    if (shards := wallets[0].max_shards) == 1:
        return _after(wallets, entries)
    last = None
    for _ in range(_LOOKS):
        found = _after(await read_wallets(database, tenant, shards), entries)
        if last and (last.granted, last.budget) == (found.granted, found.budget):
            return found
        last = found
    raise Unavailable("the shards kept changing", indeterminate=False)


def _after(wallets: Sequence[Wallet], entries: list[LedgerEntry]) -> Balance:
    month = max(wallet.month for wallet in wallets)
    return total([settled(wallet, entries) for wallet in wallets], month)
