"""A complete reply as bytes: the body of an HTTP response, or a line of a batch's output."""

import asyncio

from callmissed.ledger.entries import Outcome
from callmissed_ai.calls.served import Served
from callmissed_ai.errors import provider_broke_off, provider_too_slow, record_runaway, unusable_reply
from callmissed_ai.transports.base import UpstreamUnreachable
from callmissed_ai.work import Complete


async def whole(served: Served, complete: Complete | None = None) -> bytes:
    """The whole reply of a call, made `complete`, stored under its Idempotency-Key, if it has one, and settled.

    Raises ApiError 502 for a reply that can't be used, 503 when it breaks off, takes too long or can't be settled.
    """
    served.complete = complete
    body = await read_whole(served)
    await served.settle(Outcome.COMPLETED, body)  # a reply is charged only when it is stored for retries
    return served.final(body)


async def read_whole(served: Served) -> bytes:
    """Begin the reply and read the whole of it. Raises ApiError as `whole` does."""
    call, clock = served.call, served.container.clock
    await served.begin()
    begun = clock()
    try:
        async with asyncio.timeout(served.seconds_left):
            body = await _read(served)
    except UpstreamUnreachable:
        raise provider_broke_off() from None
    except TimeoutError:
        raise provider_too_slow() from None
    finally:
        await served.upstream.reply.close()
    call.upstream_wait += clock() - begun
    return body


async def _read(served: Served) -> bytes:
    meter, body = served.meter, bytearray()
    async for passed in served.upstream.passed():
        body += passed
    if meter.runaway:
        record_runaway(served.call.id)
    if not meter.finished:
        raise unusable_reply(meter.broken)
    return bytes(body)
