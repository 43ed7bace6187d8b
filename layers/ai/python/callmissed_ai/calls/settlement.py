"""From charges to a settled ledger entry: the one rule of what a call costs (docs/architecture.md).

A call costs what its provider reports; where the provider reports nothing, what we count, and the entry says so. An
explicit zero stays zero. A failed call costs nothing.
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

from callmissed.aws.dynamodb import DynamoError
from callmissed.clock import SECOND, Clock, Micros
from callmissed.errors import service_unavailable
from callmissed.idempotency.store import SKEW_SECONDS
from callmissed.ids import expires_at
from callmissed.keys.admission import Admission, Admitted
from callmissed.ledger.entries import Account, EntryType, LedgerEntry, Outcome, Usage
from callmissed.ledger.holds import Ledger, Settlement
from callmissed.money import NOTHING, MicroCredits
from callmissed.observability import count, get_logger
from callmissed_ai.calls.call import Call
from callmissed_ai.charges import Charges
from callmissed_ai.routing.attempt import UpstreamAnswer
from callmissed_ai.work import Work

_logger = get_logger("inference")


class CallSettlement:
    """Settles calls and gives back what failed ones had set aside."""

    def __init__(self, ledger: Ledger, admission: Admission, clock: Clock) -> None:
        self._ledger = ledger
        self._admission = admission
        self._clock = clock

    async def settle(
        self,
        call: Call,
        work: Work,
        upstream: UpstreamAnswer,
        charges: Charges,
        outcome: Outcome,
        store: Callable[[], Awaitable[None]] | None = None,
        keep: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """Charge the call once `store` has stored its reply; a reply that can't be stored is not charged.

        `keep` runs beside the wallet's update, once the entry is written; it does not raise.

        Store and charge run to their end also when the caller's task is cancelled, because a reply that is stored and
        not charged would be given away. Raises ApiError 503 if the call can't be charged, and what `store` raises.
        """
        call.settling = True
        begun = self._clock()
        entry = _entry(call, _usage(call, work, upstream, charges, outcome, begun), charges, begun)
        await asyncio.shield(asyncio.ensure_future(self._store_and_settle(call, entry, store, keep)))
        call.entry = entry
        call.db_wait += self._clock() - begun

    async def cancel(self, call: Call) -> None:
        """Give back everything that a failed call had set aside; what can't be now, the sweep does.

        Wallet and key go together: the key gets its charge from whoever resolves the hold that names it.

        Not for a call whose settlement has begun: the sweep knows whether there is an entry.
        """
        begun = self._clock()
        await asyncio.shield(asyncio.ensure_future(self._cancel(call)))
        call.db_wait += self._clock() - begun

    async def refund_key(self, key: Admitted, spent: MicroCredits) -> None:
        """Return what the key was charged above `spent`; what can't be, the key lacks until the month turns."""
        try:
            await self._admission.give_back(key, MicroCredits(key.charged - spent))
        except DynamoError:
            _logger.exception("a key's budget share is lost for this month", extra={"key": key.key.key_id})

    async def _refund_and_keep(
        self, call: Call, spent: MicroCredits, keep: Callable[[], Awaitable[None]] | None
    ) -> None:
        """Refund the key at once: what waits for another turn of the event loop is lost if the process dies."""
        if keep is None:
            await self._refund(call, spent)
        else:
            await asyncio.gather(self._refund(call, spent), keep())

    async def _refund(self, call: Call, spent: MicroCredits) -> None:
        if call.admitted.key:
            await self.refund_key(call.admitted.key, spent)

    async def _store_and_settle(
        self,
        call: Call,
        entry: LedgerEntry,
        store: Callable[[], Awaitable[None]] | None,
        keep: Callable[[], Awaitable[None]] | None,
    ) -> None:
        if store:
            try:
                await store()
            except BaseException:
                await self._cancel(call)
                raise
        await self._settle(call, entry, keep)

    async def _settle(self, call: Call, entry: LedgerEntry, keep: Callable[[], Awaitable[None]] | None) -> None:
        if entry.shortfall:
            _logger.error("a call cost more than its hold", extra={"call": call.id, "shortfall": entry.shortfall})
            count("HoldShortfall")
        try:
            if call.hold is None:
                await self._ledger.record(entry)
                if keep:
                    await keep()
                return
            beside = partial(self._refund_and_keep, call, entry.amount, keep)
            settlement = await self._ledger.settle(call.hold, entry, beside)
        except DynamoError as error:
            _logger.exception("a call could not be settled", extra={"call": call.id})
            raise service_unavailable() from error
        if settlement is Settlement.VOIDED:
            _logger.error("a call settled after its hold was given back", extra={"call": call.id})
            count("SettledAfterVoid")

    async def _cancel(self, call: Call) -> None:
        try:
            released = await self._release(call)
        except DynamoError:
            _logger.exception("a hold is left to the sweep", extra={"call": call.id})
            released = False
        if released or call.charge is None:
            await self._refund(call, NOTHING)

    async def _release(self, call: Call) -> bool:
        """Give the hold back; False when the key's charge may come back by the sweep. Raises DynamoError."""
        if call.charge and call.charge.contested and not await self._closed(call):
            return False
        if call.hold is None or await self._ledger.release(call.hold):
            return True
        return self._clock() + SKEW_SECONDS * SECOND < expires_at(call.id)  # an earlier try did it, not the sweep

    async def _closed(self, call: Call) -> bool:
        """Write the call's VOID entry, so that the sweep gives a hold that comes late back without the key's charge."""
        hold = call.hold
        entry = await self._ledger.close(call.admitted.tenant, call.id, self._clock(), "the call failed", hold)
        return entry.held == ((hold.amount, hold.attempt) if hold else None)


def _entry(call: Call, usage: Usage, charges: Charges, now: Micros) -> LedgerEntry:
    """The entry of a call at `now`; the cost above the hold is its shortfall."""
    cost = charges.cost if call.hold else NOTHING
    charged = min(cost, call.hold.amount) if call.hold else NOTHING
    return LedgerEntry(
        call.admitted.tenant,
        call.id,
        EntryType.DEDUCTION,
        charged,
        Account.HELD,
        Account.REVENUE,
        now,
        held=(call.hold.amount, call.hold.attempt) if call.hold else None,
        shortfall=MicroCredits(cost - charged),
        reference=call.reference,
        sandbox=call.hold is None,
        usage=usage,
    )


def _usage(call: Call, work: Work, upstream: UpstreamAnswer, charges: Charges, outcome: Outcome, now: Micros) -> Usage:
    model, route = upstream.model, upstream.route
    return Usage(
        service=work.service,
        model=model.billed_id,
        provider=route.provider,
        lines=tuple(charges.lines),
        price_version=model.price_version,
        estimated=charges.estimated,
        outcome=outcome,
        streamed=work.streamed,
        latency_ms=(now - call.started) // 1000,
        first_byte_ms=(call.first_byte - call.started) // 1000 if call.first_byte else 0,
        key_id=call.admitted.key_id,
        upstream_id=route.upstream_id,
        served=model.id if model.billed_as else "",
        tries=tuple(upstream.tries),
    )
