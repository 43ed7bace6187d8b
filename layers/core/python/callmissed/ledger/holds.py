"""Hold, settle, release: the two phases of a billed call, as in docs/architecture.md.

Compare TigerBeetle's two-phase transfers (https://docs.tigerbeetle.com/coding/two-phase-transfers/).

A hold carries the number of the attempt that placed it. A lost attempt that arrives late therefore differs from
the settled one, and the sweeper gives it back instead of charging again
(docs/decisions/0003-late-duplicate-holds.md).
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from enum import StrEnum

from callmissed.aws.attributes import to_item
from callmissed.aws.database import Database
from callmissed.aws.dynamodb import ConditionFailed, DynamoError, RequestRefused, TransactionCanceled, Unavailable
from callmissed.aws.operations import WriteOperation
from callmissed.clock import Micros, month_of
from callmissed.ids import started_at
from callmissed.ledger.entries import EntryType, LedgerEntry, entry_of, to_record, void
from callmissed.ledger.errors import HoldRefused, WalletMissing, refusal
from callmissed.ledger.records import (
    held_state,
    hold_request,
    resolve_operation,
    resolve_request,
    start_month,
    wallet_of,
)
from callmissed.ledger.shards import Shards, shard_of, wallet_id
from callmissed.ledger.wallet import ACTIVE, HoldToken, KeyCharge, Wallet, short_form
from callmissed.money import NOTHING, MicroCredits
from callmissed.platform.tables import LEDGER, WALLETS

_TRIES = 6
_BORROWS = 3
"""Maximum times that a shard borrows for one call: other calls may take the borrowed credits first."""


@dataclass(frozen=True, slots=True)
class Hold:
    """`amount` of `tenant`, set aside for one call in one shard of its wallet.

    `attempt` is a number that no other attempt to place this hold has, in this process or another. `charge` is what
    the call took from the budget of its API key, None where that has none.
    """

    tenant: str
    call_id: str
    service: str
    amount: MicroCredits
    attempt: int
    shard: int = 0
    charge: KeyCharge | None = None

    @property
    def wallet_id(self) -> str:
        """Id of the wallet that the hold is in."""
        return wallet_id(self.tenant, self.shard)

    @property
    def token(self) -> HoldToken:
        """The fencing token of this hold in the wallet: no other attempt to place the hold has it."""
        if self.charge is None:
            return HoldToken(self.amount, self.attempt, self.service)
        month = month_of(started_at(self.call_id))
        return HoldToken(self.amount, self.attempt, self.service, *short_form(self.charge, self.amount, month))


@dataclass(frozen=True, slots=True)
class WalletState:
    """State after a hold: available credits, and the calls of the service left this month, if counted."""

    available: MicroCredits
    quota_left: int | None


class Settlement(StrEnum):
    """Outcome of a settlement."""

    APPLIED = "applied"
    PENDING = "pending"
    """The entry is written; the wallet did not answer, and the sweeper will apply it."""
    VOIDED = "voided"
    """The sweeper had given the hold back before: the call is not charged."""


class Ledger:
    """Holds, settlements and releases on the wallets of one stage."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._dynamodb = database.dynamodb
        self._shards = Shards(database)
        self._wallets = database.name(WALLETS)
        self._ledger = database.name(LEDGER)

    async def hold(
        self,
        tenant: str,
        call_id: str,
        service: str,
        amount: MicroCredits,
        *,
        shards: int = 1,
        charge: KeyCharge | None = None,
    ) -> tuple[Hold, WalletState]:
        """Set `amount` aside for the call, in one of the tenant's `shards`, and count it in the quota of `service`.

        The hold names the `charge` to the budget of the call's key, so that the sweep can give it back too.
        One round trip, unless a month begins, an answer is lost or the shard has to borrow.
        Raises ApiError 402, 403 or 429 when the wallet refuses, Unavailable when DynamoDB fails or other calls keep
        taking the borrowed credits, ValueError for an amount below zero, which would add credits.
        """
        if amount < 0:
            raise ValueError("a hold can't be negative")
        shard = shard_of(call_id, shards)
        wanted = Hold(tenant, call_id, service, amount, 0, shard, charge)
        for _ in range(_BORROWS):
            try:
                return await self._hold(wanted)
            except (HoldRefused, WalletMissing) as refused:
                shards = max(shards, refused.shards)
                if shards == 1:
                    raise
            await self._shards.borrow(tenant, shard, shards, service, amount, started_at(call_id))
        try:
            return await self._hold(wanted)
        except HoldRefused as outrun:  # the shards together had enough, so this refusal would be wrong
            raise Unavailable("other calls kept taking what the shard borrowed", indeterminate=False) from outrun

    async def settle(
        self, hold: Hold, entry: LedgerEntry, refund: Callable[[], Awaitable[None]] | None = None
    ) -> Settlement:
        """Charge `entry.amount`, at most the hold, and give the rest back. Safe to repeat, without `refund`.

        `refund` gives the call's key its share back, beside the wallet's update. It is called only once the entry is
        known to be this hold's: the sweep gives the share back with the VOID that it writes.
        Two round trips. Raises Unavailable when the entry could not be written: it may still arrive, so the hold is
        left to the sweeper. Raises ValueError when the entry is for another hold.
        """
        if entry.held != (hold.amount, hold.attempt):
            raise ValueError("the entry settles another hold")
        if entry.amount > hold.amount:
            raise ValueError("a call can't be charged more than its hold")
        try:
            await self._put(entry)
        except ConditionFailed as earlier:
            return await self._settled_before(hold, entry_of(earlier.item), refund)
        return await self._apply_and_refund(hold, entry.amount, refund)

    async def release(self, hold: Hold) -> bool:
        """Give the whole hold back for a call that failed. Safe to repeat. Raises Unavailable.

        False when the hold was resolved before: by an earlier try, or by the sweep.
        Not for a call for which `settle` was tried, whatever its outcome: the entry may be written.
        """
        try:
            await self._resolve(hold, NOTHING, quota_month=month_of(started_at(hold.call_id)))
        except ConditionFailed as refused:
            wallet = wallet_of(refused.item) if refused.item else None
            stands = wallet and wallet.holds.get(hold.call_id) == hold.token  # only the month differed
            return bool(stands) and await self.apply(hold, NOTHING)
        return True

    async def release_with(self, hold: Hold, given: WriteOperation) -> bool:
        """Give the whole hold back, and execute `given`, both or neither; False when the hold was resolved before.

        Raises TransactionCanceled when a condition of `given` does not hold, Unavailable.
        """
        for quota_month in (month_of(started_at(hold.call_id)), None):
            released = resolve_operation(hold.wallet_id, hold.call_id, hold.token, NOTHING, quota_month=quota_month)
            try:
                await self._database.transact([released, given])
            except TransactionCanceled as cancelled:
                if cancelled.reasons[0] != "ConditionalCheckFailed":
                    raise
            else:
                return True
        return False

    async def close(self, tenant: str, call_id: str, now: Micros, reason: str, hold: Hold | None) -> LedgerEntry:
        """Write the VOID entry of a call that failed or died, at `now`; returns the entry that the call has then.

        The entry names the `hold` that it closes, if there is one. Raises Unavailable.
        """
        entry = void(tenant, call_id, now, reason, (hold.amount, hold.attempt) if hold else None)
        try:
            await self._put(entry)
        except ConditionFailed as earlier:
            return entry_of(earlier.item)
        return entry

    async def record(self, entry: LedgerEntry) -> None:
        """Write an entry of amount 0, such as a sandbox call's. Raises Unavailable."""
        try:
            await self._put(entry)
        except ConditionFailed:
            return

    async def entry(self, tenant: str, entry_id: str) -> LedgerEntry | None:
        """The entry, strongly consistent, or None. Raises Unavailable."""
        item = await self._database.get(LEDGER, {"tenant": tenant, "entry": entry_id})
        return entry_of(item) if item else None

    async def _hold(self, wanted: Hold) -> tuple[Hold, WalletState]:
        month = month_of(started_at(wanted.call_id))
        for attempt in range(1, _TRIES + 1):
            hold = replace(wanted, attempt=secrets.randbits(32))
            try:
                return hold, await self._place(hold, month)
            except Unavailable as error:
                if not error.indeterminate or attempt == _TRIES:
                    raise
            except ConditionFailed as refused:
                wallet = wallet_of(refused.item) if refused.item else None
                if wallet and hold.call_id in wallet.holds:
                    return _standing(wallet, hold), WalletState(wallet.available, wallet.quotas.get(hold.service))
                month = await self._current_month(wallet, month, hold)
        raise Unavailable("the wallet's month kept turning", indeterminate=False)

    async def _place(self, hold: Hold, month: int) -> WalletState:
        request = hold_request(self._wallets, hold.wallet_id, hold.call_id, hold.token, month)
        try:
            answer = await self._dynamodb.call("UpdateItem", request, resend_indeterminate=False)
        except BaseException as error:
            if hold.charge and _may_come(error):
                hold.charge.contested = True
            raise
        return WalletState(*held_state(answer, hold.service))

    async def _current_month(self, wallet: Wallet | None, month: int, hold: Hold) -> int:
        """Month to retry the hold with. Raises the refusal when it has another reason than the month."""
        if not wallet or wallet.month == month or wallet.status != ACTIVE:
            raise refusal(wallet, hold.service, hold.amount, started_at(hold.call_id))
        if wallet.month < month:
            await start_month(self._database, wallet, month)
        return max(wallet.month, month)

    async def _put(self, entry: LedgerEntry) -> None:
        request = {
            "TableName": self._ledger,
            "Item": to_item(to_record(entry)),
            "ConditionExpression": "attribute_not_exists(entry)",
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
        await self._dynamodb.call("PutItem", request)

    async def apply(self, hold: Hold, cost: MicroCredits) -> bool:
        """Apply a written entry of `cost` to the wallet. Safe to repeat. Raises Unavailable.

        False when the hold was resolved before: by an earlier try, or by the sweep.
        """
        try:
            await self._resolve(hold, cost)
        except ConditionFailed:
            return False
        return True

    async def _apply_and_refund(
        self, hold: Hold, cost: MicroCredits, refund: Callable[[], Awaitable[None]] | None
    ) -> Settlement:
        if refund is None:
            return await self._apply_or_leave(hold, cost)
        settlement, _ = await asyncio.gather(self._apply_or_leave(hold, cost), refund())
        return settlement

    async def _apply_or_leave(self, hold: Hold, cost: MicroCredits) -> Settlement:
        try:
            await self.apply(hold, cost)
        except (Unavailable, RequestRefused):  # in both cases the entry is written, and the sweeper will apply it
            return Settlement.PENDING
        return Settlement.APPLIED

    async def _settled_before(
        self, hold: Hold, entry: LedgerEntry, refund: Callable[[], Awaitable[None]] | None
    ) -> Settlement:
        """Outcome for the hold when an entry exists: an entry charges only the hold that it names."""
        if entry.type is EntryType.VOID:
            return Settlement.VOIDED
        if entry.held == (hold.amount, hold.attempt):
            return await self._apply_and_refund(hold, entry.amount, refund)
        try:
            await self.release(hold)
        except (Unavailable, RequestRefused):
            return Settlement.PENDING
        return Settlement.APPLIED

    async def _resolve(self, hold: Hold, cost: MicroCredits, *, quota_month: int | None = None) -> None:
        """Turn the hold into `cost` spent and the rest available, in one write that is applied at most once.

        With `quota_month` the call no longer counts in that month's quota, if the month is still current.
        """
        request = resolve_request(
            self._wallets, hold.wallet_id, hold.call_id, hold.token, cost, quota_month=quota_month
        )
        await self._dynamodb.call("UpdateItem", request)


def _standing(wallet: Wallet, wanted: Hold) -> Hold:
    token = wallet.holds[wanted.call_id]
    return replace(wanted, service=token.service, amount=token.amount, attempt=token.attempt)


def _may_come(error: BaseException) -> bool:
    """Whether a write that ended with `error` may be applied, or have been: its answer was lost, or nobody waited."""
    return error.indeterminate if isinstance(error, Unavailable) else not isinstance(error, DynamoError)
