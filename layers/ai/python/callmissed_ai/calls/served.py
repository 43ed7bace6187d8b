"""A call whose cost is held, and the reply to it."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from callmissed.catalog.model import SANDBOX
from callmissed.clock import SECOND
from callmissed.ledger.entries import Outcome
from callmissed.money import NOTHING, MicroCredits
from callmissed.platform.routes import STREAM_TIMEOUT_SECONDS
from callmissed_ai.calls.call import Call
from callmissed_ai.calls.container import Container
from callmissed_ai.calls.idempotency import IdempotentCall
from callmissed_ai.calls.stored_call import StoredCall
from callmissed_ai.charges import OUTPUT_TOKENS, Charges
from callmissed_ai.errors import provider_too_slow
from callmissed_ai.providers.sandbox.failures import ENGINE_HEADER
from callmissed_ai.routing.attempt import UpstreamAnswer
from callmissed_ai.services.responses_store.records import json_text
from callmissed_ai.work import Complete, Meter, SettledCall, Work

MAX_CALL_SECONDS = STREAM_TIMEOUT_SECONDS - 30.0
"""A call ends so long after its start: what Lambda kills, or what outlives its hold, is never settled."""

MAX_BLOCKING_SECONDS = 255.0
"""The reply to a blocking call is whole so long after the call's start, or the call fails.

API Gateway cuts a response that has been silent for 300 s, and a blocking one is silent until it is stored and settled.
A caller that was cut retries, and a retry without an Idempotency-Key is a new charge.
"""


@dataclass(slots=True)
class Served:
    """What an answer begins, passes on to the caller and then settles. A call that never begins is given up.

    `complete` adds to a whole reply before it is stored and settled. `beside` runs beside the wallet's update, once the
    call is charged; it does not raise.
    """

    container: Container
    call: Call
    work: Work
    complete: Complete | None = None
    beside: Callable[[], Awaitable[None]] | None = None
    _upstream: UpstreamAnswer | None = None
    _completed: bytes | None = None

    @property
    def has_begun(self) -> bool:
        """Whether the reply has begun."""
        return self._upstream is not None

    @property
    def upstream(self) -> UpstreamAnswer:
        """The upstream whose reply has begun."""
        if self._upstream is None:
            raise AssertionError("the reply has not begun yet")
        return self._upstream

    @property
    def meter(self) -> Meter:
        """The meter of the reply that has begun."""
        return self.upstream.meter

    async def begin(self) -> UpstreamAnswer:
        """Find the upstream that begins the reply. Raises ApiError 400, or 503 where none does in time."""
        call, clock = self.call, self.container.clock
        searching = clock()
        try:
            async with asyncio.timeout(self.seconds_left):
                self._upstream = await self.container.router.answer(self.work, sandboxed=call.admitted.is_sandboxed)
        except TimeoutError:
            raise provider_too_slow() from None
        call.first_byte = clock()
        call.upstream_wait = call.first_byte - searching
        call.provider, call.model = self._upstream.route.provider, self._upstream.model.id
        if call.provider == SANDBOX:
            call.engine = self._upstream.reply.headers.get(ENGINE_HEADER, "")
        return self._upstream

    async def give_up(self) -> None:
        """Give back what the call had set aside."""
        await self.container.settlement.cancel(self.call)

    @property
    def seconds_left(self) -> float:
        """Seconds until the upstream's part of the call has to end, head and body together."""
        most = MAX_CALL_SECONDS if self.work.streamed else MAX_BLOCKING_SECONDS
        return max(0.0, most - (self.container.clock() - self.call.started) / SECOND)

    async def settle(self, outcome: Outcome, body: bytes | None = None) -> None:
        """Charge what the meter has read, once `body` is stored where the call has an Idempotency-Key.

        Raises ApiError 409 or 503; nothing is charged then.
        """
        charges = await self.meter.charges()
        if outcome is Outcome.COMPLETED and not charges.estimated:
            self._note_speed(charges)
        if self.complete and body is not None:
            self._completed = self.complete(self.meter.final(body), self._settled(charges))
        idempotent, store, keep = self.call.idempotent, None, None
        if (stored := self.call.stored) and (response := self._response_to_keep):
            response["store"], keep = False, partial(self._keep, stored, response)
        if idempotent and body is not None:
            store, keep = partial(self._complete, idempotent, body, keep), None
        keep = keep or self.beside
        await self.container.settlement.settle(self.call, self.work, self.upstream, charges, outcome, store, keep)

    def _settled(self, charges: Charges) -> SettledCall:
        """The call as it is after its settlement; the hold has taken the dearest outcome from the balance already."""
        call = self.call
        cost = charges.cost if call.hold else NOTHING
        balance = None
        if call.wallet and call.hold:
            balance = MicroCredits(call.wallet.available + call.hold.amount - cost)
        return SettledCall(call.id, call.started, cost, balance)

    def final(self, body: bytes) -> bytes:
        """The whole reply as the caller gets it: `body`, unless that speaks of a stored response that is none."""
        if self._completed is not None:
            return self._completed
        response = self._response_to_keep
        return json_text(response) if response and not response["store"] else self.meter.final(body)

    @property
    def _response_to_keep(self) -> dict[str, Any] | None:
        """The response, if it is to be stored: it is complete, whoever still listens, and its caller agrees."""
        stored = self.call.stored
        return self.meter.response if stored and stored.wanted and self.meter.finished else None

    async def _keep(self, stored: StoredCall, response: dict[str, Any]) -> None:
        """Store the response; one that is not stored says so."""
        owner, now = self.call.admitted.owner, self.container.clock()
        response["store"] = await stored.keep({**response, "store": True}, owner, now)

    async def _complete(
        self, idempotent: IdempotentCall, body: bytes, keep: Callable[[], Awaitable[None]] | None
    ) -> None:
        """Store the response first: whether it is stored is part of the answer. Raises ApiError 409 or 503."""
        if keep:
            await keep()
        try:
            await idempotent.complete(self.work.media_type, self.final(body))
        except BaseException:
            await self._forget()
            raise

    async def _forget(self) -> None:
        """Delete the response, whose caller does not get it."""
        response, stored = self._response_to_keep, self.call.stored
        if response and stored and response["store"]:
            await stored.forget(response["id"], self.call.admitted.owner)

    def _note_speed(self, charges: Charges) -> None:
        """Note how fast the route wrote, as its provider counts the tokens."""
        health = self.container.router.health
        tokens = sum(line.quantity for line in charges.lines if line.unit == OUTPUT_TOKENS)
        health.wrote(self.upstream.route, tokens, (health.clock() - self.upstream.asked) * 1000 / SECOND)
