"""From usage to a settled ledger entry: the one rule of what a call costs (docs/architecture.md).

A call costs what its provider reports; where the provider reports nothing, what our tokenizer counts, and the entry
says so. An explicit zero stays zero. A failed call costs nothing.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from callmissed import money
from callmissed.aws.dynamodb import DynamoError
from callmissed.catalog.model import Model, ProviderRoute
from callmissed.clock import Clock
from callmissed.errors import service_unavailable
from callmissed.idempotency.store import Run
from callmissed.keys.admission import Admission, Admitted
from callmissed.ledger.entries import Account, EntryType, LedgerEntry, Outcome, Usage
from callmissed.ledger.holds import Hold, Ledger, Settlement, WalletState
from callmissed.observability import count, get_logger
from functions.inference.dialects.openai_chat import TokenUsage

_logger = get_logger("inference")


@dataclass(slots=True)
class BilledCall:
    """An admitted call on its way: who pays, what is held, how long things took (microseconds).

    `hold` is None for a test key's call, which costs nothing; `run` for a call without an Idempotency-Key. From
    `settling` on the call can't be cancelled: its entry may be written even when nobody heard of it, and a settlement
    whose reply can't be stored gives back what was set aside by itself.
    """

    id: str
    admitted: Admitted
    started: int
    hold: Hold | None = None
    run: Run | None = None
    wallet: WalletState | None = None
    first_byte: int = 0
    db_wait: int = 0
    upstream_wait: int = 0
    settling: bool = False


class Cashier:
    """Settles calls and gives back what failed ones had set aside."""

    def __init__(self, ledger: Ledger, admission: Admission, clock: Clock) -> None:
        self._ledger = ledger
        self._admission = admission
        self._clock = clock

    async def settle(
        self,
        call: BilledCall,
        model: Model,
        route: ProviderRoute,
        used: TokenUsage,
        outcome: Outcome,
        *,
        streamed: bool,
        store: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """Charge the call once `store` has stored its reply; a reply that can't be stored is not charged.

        Store and charge run to their end also when the caller's task is cancelled, because a reply that is stored and
        not charged would be given away. Raises ApiError 503 if the call can't be charged, and what `store` raises.
        """
        call.settling = True
        entry = self._entry(call, model, route, used, outcome, streamed=streamed)
        begun = self._clock()
        await asyncio.shield(asyncio.ensure_future(self._store_and_settle(call, entry, store)))
        call.db_wait += self._clock() - begun

    async def cancel(self, call: BilledCall) -> None:
        """Give back everything that a failed call had set aside; what can't be now, the sweeper does.

        A call whose settlement has begun is left to the sweeper, which knows whether there is an entry.
        """
        if call.settling:
            return
        begun = self._clock()
        await asyncio.shield(asyncio.ensure_future(self._cancel(call)))
        call.db_wait += self._clock() - begun

    async def give_back(self, admitted: Admitted, spent: int) -> None:
        """Return what the key was charged above `spent`; what can't be, the key lacks until the month turns."""
        try:
            await self._admission.give_back(admitted, admitted.charged - spent)
        except DynamoError:
            _logger.exception("a key's budget share is lost for this month", extra={"key": admitted.key_id})

    def _entry(
        self,
        call: BilledCall,
        model: Model,
        route: ProviderRoute,
        used: TokenUsage,
        outcome: Outcome,
        *,
        streamed: bool,
    ) -> LedgerEntry:
        prices, units = priced(model, used)
        cost = money.cost(*((units[name], prices[name]) for name in units)) if call.hold else 0
        charged = min(cost, call.hold.amount) if call.hold else 0
        now = self._clock()
        usage = Usage(
            service="llm",
            model=model.id,
            provider=route.provider,
            units=units,
            prices=prices,
            price_version=model.price.version if model.price else "",
            estimated=used.estimated,
            outcome=outcome,
            streamed=streamed,
            latency_ms=(now - call.started) // 1000,
            first_byte_ms=(call.first_byte - call.started) // 1000 if call.first_byte else 0,
            key_id=call.admitted.key_id,
            upstream_id=route.upstream_id,
        )
        return LedgerEntry(
            call.admitted.tenant,
            call.id,
            EntryType.DEDUCTION,
            charged,
            Account.HELD,
            Account.REVENUE,
            now,
            held=(call.hold.amount, call.hold.attempt) if call.hold else None,
            shortfall=cost - charged,
            sandbox=call.hold is None,
            usage=usage,
        )

    async def _store_and_settle(
        self, call: BilledCall, entry: LedgerEntry, store: Callable[[], Awaitable[None]] | None
    ) -> None:
        if store:
            try:
                await store()
            except BaseException:
                await self._cancel(call)
                raise
        await self._settle(call, entry)

    async def _settle(self, call: BilledCall, entry: LedgerEntry) -> None:
        if entry.shortfall:
            _logger.error("a call cost more than its hold", extra={"call": call.id, "shortfall": entry.shortfall})
            count("HoldShortfall")
        try:
            if call.hold is None:
                await self._ledger.record(entry)
                return
            settlement, _ = await asyncio.gather(
                self._ledger.settle(call.hold, entry), self.give_back(call.admitted, entry.amount)
            )
        except DynamoError as error:
            _logger.exception("a call could not be settled", extra={"call": call.id})
            raise service_unavailable() from error
        if settlement is Settlement.VOIDED:
            _logger.error("a call settled after its hold was given back", extra={"call": call.id})
            count("SettledAfterVoid")

    async def _cancel(self, call: BilledCall) -> None:
        try:
            if call.hold:
                await self._ledger.release(call.hold)
        except DynamoError:
            _logger.exception("a hold is left to the sweeper", extra={"call": call.id})
        await self.give_back(call.admitted, 0)


def priced(model: Model, used: TokenUsage) -> tuple[dict[str, int], dict[str, int]]:
    """Prices and units of the call by the same names."""
    if model.price is None:
        raise ValueError(f"'{model.id}' has no token price")
    cached_price = model.price.cached_input
    cached = used.cached if cached_price is not None else 0
    prices = {"input_tokens": model.price.input, "output_tokens": model.price.output}
    units = {"input_tokens": used.input - cached, "output_tokens": used.output}
    if cached_price is not None:
        prices["cached_input_tokens"], units["cached_input_tokens"] = cached_price, cached
    return prices, units
