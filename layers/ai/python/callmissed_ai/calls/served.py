"""A call whose upstream has begun its reply."""

from dataclasses import dataclass
from functools import partial

from callmissed.clock import SECOND
from callmissed.ledger.entries import Outcome
from callmissed.platform.routes import STREAM_TIMEOUT_SECONDS
from callmissed_ai.calls.call import Call
from callmissed_ai.calls.container import Container
from callmissed_ai.routing.router import UpstreamAnswer
from callmissed_ai.work import Meter, Work

MAX_CALL_SECONDS = STREAM_TIMEOUT_SECONDS - 30.0
"""A call ends so long after its start: what Lambda kills, or what outlives its hold, is never settled."""

MAX_BLOCKING_SECONDS = 255.0
"""The reply to a blocking call is whole so long after the call's start, or the call fails.

API Gateway cuts a response that has been silent for 300 s, and a blocking one is silent until it is stored and settled.
A caller that was cut retries, and a retry without an Idempotency-Key is a new charge.
"""


def seconds_left(container: Container, call: Call, work: Work) -> float:
    """Seconds until the upstream's part of the call has to end, head and body together."""
    most = MAX_CALL_SECONDS if work.streamed else MAX_BLOCKING_SECONDS
    return max(0.0, most - (container.clock() - call.started) / SECOND)


@dataclass(frozen=True, slots=True)
class Served:
    """What an answer passes on to the caller, reading it with `meter`, and then settles."""

    container: Container
    call: Call
    work: Work
    upstream: UpstreamAnswer
    meter: Meter

    @property
    def seconds_left(self) -> float:
        """Seconds until the call has to end."""
        return seconds_left(self.container, self.call, self.work)

    async def settle(self, outcome: Outcome, body: bytes | None = None) -> None:
        """Charge what the meter has read, once `body` is stored where the call has an Idempotency-Key.

        Raises ApiError 409 or 503; nothing is charged then.
        """
        charges = await self.meter.charges()
        idempotent = self.call.idempotent
        store = partial(idempotent.complete, body) if idempotent and body is not None else None
        await self.container.settlement.settle(self.call, self.work, self.upstream, charges, outcome, store)
