"""The reconciliation: compares wallets with their entries. It raises an alarm and changes nothing.

Calls go on at the same time. So the wallets are read before and after the entries, and a wallet has drifted only when
its entries fit neither: everything spent before must have an entry, and every entry whose hold was resolved must be
spent after.

Key budgets are not compared: a lost refund is corrected when the next month begins.
"""

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field

from callmissed.aws.attributes import Item
from callmissed.aws.comparisons import above
from callmissed.aws.database import Database
from callmissed.aws.dynamodb import Unavailable
from callmissed.clock import Micros
from callmissed.ledger.entries import Account, EntryType
from callmissed.ledger.history.checkpoints import SEGMENT, final_before, past_changed_operation, write_checkpoints
from callmissed.ledger.records import wallet_of
from callmissed.ledger.shards import owner, wallet_id
from callmissed.ledger.sweep import wallets
from callmissed.ledger.wallet import Wallet
from callmissed.money import NOTHING, MicroCredits, total
from callmissed.platform.tables import LEDGER, TENANTS, WALLETS

_MARK = "RECONCILED"


@dataclass(frozen=True, slots=True)
class Drift:
    """A tenant whose wallet differs from its entries, or breaks its own equations.

    Micro-credits: `spent`, `granted` and `returned` by the wallet, `charged`, `credited` and `debited` by the entries,
    and the error of the wallet's own equations.
    """

    tenant: str
    spent: MicroCredits
    charged: MicroCredits
    granted: MicroCredits
    credited: MicroCredits
    imbalance: MicroCredits = NOTHING
    returned: MicroCredits = NOTHING
    debited: MicroCredits = NOTHING


@dataclass(slots=True)
class ReconcileReport:
    """Result of one night: tenants seen, those that drifted, those that could not be compared."""

    tenants: int = 0
    drifts: list[Drift] = field(default_factory=list[Drift])
    unread: list[str] = field(default_factory=list[str])


@dataclass(slots=True)
class _Sums:
    """Micro-credits of entries so far: charged, credited and debited; `pending` are charges that may be in flight."""

    charged: int
    credited: int
    debited: int
    pending: dict[str, int]


async def reconcile(database: Database, now: Micros) -> ReconcileReport:
    """Compare every tenant at `now`. Raises Unavailable when wallets can't be listed.

    Final entries are summed once and stored with the tenant, so a night reads only the day's entries. Where
    the stored sums differ, all entries are counted again: a call may have settled long after it began. On the way,
    checkpoints of the history are written where a thousand entries are without one.
    """
    report = ReconcileReport()
    for tenant, shards in (await _tenants(database)).items():
        report.tenants += 1
        try:
            drift = await _compare(database, tenant, shards, now, await _mark(database, tenant))
            if drift is not None:
                await database.transact([past_changed_operation(tenant)])
                drift = await _compare(database, tenant, shards, now, _new_mark(tenant))
        except Unavailable:
            report.unread.append(tenant)
        else:
            report.drifts += [drift] if drift else []
    return report


async def _tenants(database: Database) -> dict[str, int]:
    """Each tenant with the number of wallets that it has or, when its plan spreads them, may get at any moment."""
    shards: dict[str, int] = {}
    async for wallet in wallets(database):
        tenant, shard = owner(wallet.wallet_id)
        shards[tenant] = max(shards.get(tenant, 0), shard + 1, wallet.max_shards)
    return shards


async def _compare(database: Database, tenant: str, shards: int, now: Micros, mark: Item) -> Drift | None:
    """The drift when entries since the mark are counted; without one, the mark is moved."""
    before = await _read(database, tenant, shards)
    cut = final_before(before, now)
    final, fresh = await _sum(database, tenant, mark, cut)
    after = await _read(database, tenant, shards)
    await _keep_checkpoints(database, final, cut)
    standing = _held(after)
    charged = final["charged"] + fresh.charged
    applied = charged - sum(amount for call_id, amount in fresh.pending.items() if call_id in standing)
    drift = Drift(
        tenant,
        _spent(after),
        charged,
        _granted(after),
        final["credited"] + fresh.credited,
        total(wallet.imbalance for wallet in after),
        _returned(after),
        final["debited"] + fresh.debited,
    )
    if drift.imbalance or not _agrees(before, drift, applied):
        return drift
    await database.put(TENANTS, final)
    return None


def _agrees(before: list[Wallet], drift: Drift, applied: MicroCredits) -> bool:
    """Whether what the wallets had `before` has entries, and what has entries is in the wallets of `drift`."""
    return (
        _spent(before) <= drift.charged
        and applied <= drift.spent
        and _granted(before) <= drift.credited <= drift.granted
        and _returned(before) <= drift.debited <= drift.returned
    )


async def _sum(database: Database, tenant: str, mark: Item, cut: str) -> tuple[Item, _Sums]:
    """Entries since the mark: the mark with what is before the cut added to it, and the sums of the rest."""
    final, fresh = dict(mark), _Sums(0, 0, 0, {})
    async for entry in _entries(database, tenant, mark["upto"]):
        kind, amount = entry["type"], entry["amount"]
        charged = amount if kind == EntryType.DEDUCTION else 0
        credited = amount if entry["credit"] == Account.AVAILABLE and kind != EntryType.VOID else 0
        debited = amount if entry["debit"] == Account.AVAILABLE else 0
        if entry["entry"] < cut:
            final["charged"] += charged
            final["credited"] += credited
            final["debited"] += debited
            final["upto"] = entry["entry"]
            final["entries"] += 1
        else:
            fresh.charged += charged
            fresh.credited += credited
            fresh.debited += debited
            fresh.pending[entry["entry"]] = charged
    return final, fresh


async def _keep_checkpoints(database: Database, final: Item, cut: str) -> None:
    """Write checkpoints of the history where they are due, and count in the mark how far they were looked for."""
    if final["entries"] - final["checkpointed"] >= SEGMENT:
        await write_checkpoints(database, final["tenant"], cut)
        final["checkpointed"] = final["entries"] // SEGMENT * SEGMENT


def _entries(database: Database, tenant: str, after: str) -> AsyncIterator[Item]:
    attributes = ("entry", "type", "amount", "credit", "debit")
    return database.query(LEDGER, tenant, sort=above(after), attributes=attributes, consistent=True)


async def _read(database: Database, tenant: str, shards: int) -> list[Wallet]:
    """The wallets as they are at one moment: shards lend to each other, so single reads could miss a loan."""
    if shards == 1:  # a transaction would fail at every concurrent call
        item = await database.get(WALLETS, {"id": tenant})
        return [wallet_of(item)] if item else []
    keys = [{"id": wallet_id(tenant, shard)} for shard in range(shards)]
    return [wallet_of(item) for item in await database.get_all_at_once(WALLETS, keys)]


async def _mark(database: Database, tenant: str) -> Item:
    none = _new_mark(tenant)
    return none | await database.get(TENANTS, {"tenant": tenant, "item": none["item"]})


def _new_mark(tenant: str) -> Item:
    key = {"tenant": tenant, "item": _MARK}
    return key | {"upto": " ", "charged": 0, "credited": 0, "debited": 0, "entries": 0, "checkpointed": 0}


def _held(shards: Iterable[Wallet]) -> set[str]:
    return {call_id for wallet in shards for call_id in wallet.holds}


def _spent(shards: Iterable[Wallet]) -> MicroCredits:
    return total(wallet.spent_ever for wallet in shards)


def _returned(shards: Iterable[Wallet]) -> MicroCredits:
    return total(wallet.returned for wallet in shards)


def _granted(shards: Iterable[Wallet]) -> MicroCredits:
    return total(wallet.granted for wallet in shards)
