"""The sweep: resolves holds whose call never settled, because its process died or DynamoDB did not answer.

An expired hold whose entry exists is applied; one without an entry is closed by a VOID entry, which is written first
so that a late settlement finds it, and given back.

The budget of the call's key gets its charge back with the hold that the VOID names, in one transaction: both or
neither, and once, because the hold is gone then. Where a settlement's entry exists, its process gives the key its share
as soon as it knows of the entry. Whether it did is nowhere written, so the sweep gives none.
"""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Protocol

from callmissed.aws.database import Database
from callmissed.aws.dynamodb import DynamoError, TransactionCanceled
from callmissed.aws.operations import WriteOperation
from callmissed.clock import Micros, month_of
from callmissed.ids import expires_at, started_at
from callmissed.ledger.entries import EntryType
from callmissed.ledger.holds import Hold, Ledger
from callmissed.ledger.records import wallet_of
from callmissed.ledger.shards import owner
from callmissed.ledger.wallet import HoldToken, KeyCharge, Wallet
from callmissed.observability import get_logger
from callmissed.platform.tables import WALLETS

_TRIES = 4
_logger = get_logger("ledger-sweep")


class KeyRefunds(Protocol):
    """The budgets of API keys, such as `callmissed.keys.budgets.KeyBudgets`."""

    async def refund_operation(self, tenant: str, charge: KeyCharge) -> WriteOperation | None:
        """The operation that gives `charge` back, on the condition that it still can be; None if it can't be.

        Raises Unavailable.
        """
        ...


@dataclass(slots=True)
class SweepReport:
    """Result of one sweep: wallets seen, holds applied, voided, and given back as late duplicates."""

    wallets: int = 0
    applied: int = 0
    voided: int = 0
    duplicates: int = 0

    @property
    def backlog(self) -> int:
        """Number of expired holds in this sweep."""
        return self.applied + self.voided + self.duplicates


async def sweep(database: Database, now: Micros, key_budgets: Callable[[Database], KeyRefunds]) -> SweepReport:
    """Resolve every hold that has expired at `now`. Safe to run twice in parallel.

    Reads all wallets: half a read unit per 4 KB, so 10,000 tenants cost about 600 units a minute.
    A hold that can't be resolved does not delay the others; its DynamoError is raised at the end.
    Raises Unavailable when DynamoDB does not answer; resolved holds stay resolved.
    """
    report = SweepReport()
    resolver = _Resolver(Ledger(database), key_budgets(database), now, report)
    failure: DynamoError | None = None
    async for wallet in wallets(database):
        report.wallets += 1
        tenant, shard = owner(wallet.wallet_id)
        for call_id, token in wallet.holds.items():
            if expires_at(call_id) <= now:
                try:
                    await resolver.resolve(_hold(tenant, shard, call_id, token))
                except DynamoError as error:
                    failure = error
    if failure:
        raise failure
    return report


async def wallets(database: Database) -> AsyncIterator[Wallet]:
    """Every wallet, eventually consistent."""
    async for item in database.scan(WALLETS):
        yield wallet_of(item)


@dataclass(frozen=True, slots=True)
class _Resolver:
    """Resolves expired holds at `now`, and counts them in `report`."""

    ledger: Ledger
    key_budgets: KeyRefunds
    now: Micros
    report: SweepReport

    async def resolve(self, hold: Hold) -> None:
        """Resolve the hold as its call's entry says; a call without one gets a VOID entry."""
        entry = await self.ledger.entry(hold.tenant, hold.call_id)
        if entry is None:
            entry = await self.ledger.close(hold.tenant, hold.call_id, self.now, "the call never settled", hold)
        named = entry.held == (hold.amount, hold.attempt)
        if entry.type is EntryType.VOID:
            await (self._give_back(hold) if named else self.ledger.release(hold))
            self.report.voided += 1
        elif named:
            await self.ledger.apply(hold, entry.amount)
            self.report.applied += 1
        else:
            await self.ledger.release(hold)
            self.report.duplicates += 1

    async def _give_back(self, hold: Hold) -> None:
        """Give back the hold that the call's VOID entry names, and with it what the key was charged."""
        for _ in range(_TRIES):
            refund = await self.key_budgets.refund_operation(hold.tenant, hold.charge) if hold.charge else None
            if refund is None:
                await self.ledger.release(hold)
                return
            try:
                await self.ledger.release_with(hold, refund)
            except TransactionCanceled:
                continue  # the key's item moved, or its month turned
            return
        _logger.error("a key kept changing: its budget lacks a charge", extra={"call": hold.call_id})
        await self.ledger.release(hold)


def _hold(tenant: str, shard: int, call_id: str, token: HoldToken) -> Hold:
    charge = token.charge(month_of(started_at(call_id)))
    return Hold(tenant, call_id, token.service, token.amount, token.attempt, shard, charge)
