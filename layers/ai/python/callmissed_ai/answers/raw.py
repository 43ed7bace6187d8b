"""A streamed reply of bytes, such as audio, as an ASGI response.

An error in the midst of such bytes would look like the bytes themselves, so a reply that breaks off is broken
off here too: the connection is closed before the body's end.
"""

import asyncio
from collections.abc import Mapping

from callmissed.errors import ApiError
from callmissed_ai.answers.streaming import ReplyStream, Send, last, stop
from callmissed_ai.calls.served import Served


class RawStream(ReplyStream):
    """An ASGI application that passes the upstream's bytes on; its last byte leaves when the call is settled.

    It returns without an end for a reply that broke off, and the server then closes the connection.
    """

    @property
    def _own_headers(self) -> Mapping[str, str]:
        return {
            "content-type": self._served.work.media_type,
            "cache-control": "no-store, no-transform",
            "x-accel-buffering": "no",
        }

    async def _end(self, send: Send, error: ApiError | None, request_id: str) -> None:
        if error is None:
            await send(last(self._served.meter.closing(None, request_id)))


async def raw_stream(served: Served) -> RawStream:
    """The reply as an ASGI application, which settles the call when it is served.

    Raises ApiError 400 or 503 when no reply begins: a failure before the first byte has a status of its own.
    """
    beginning = asyncio.ensure_future(served.begin())
    try:
        await asyncio.wait({beginning})
        beginning.result()
    except BaseException:
        await stop(beginning)
        raise
    return RawStream(served, beginning)
