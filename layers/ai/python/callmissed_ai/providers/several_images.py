"""Images of an API that draws one with each request: as many requests side by side as there are images to draw.

The reply has the images that came; a request that hangs does not cost the caller those of the others. Where no request
brought one, the first refusal passes as it is, and what the provider's filter held back is an empty list.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from callmissed_ai.dialects.json_reply import UnusableReply
from callmissed_ai.dialects.output_bounds import MAX_BODY_BYTES
from callmissed_ai.dialects.written_json import written_json
from callmissed_ai.transports.base import Transport, UpstreamCall, UpstreamReply, UpstreamTimedOut, UpstreamUnreachable

_PATIENCE_SECONDS = 150.0
"""So long are the images that have come kept back for those that have not."""


class ImageApi(Protocol):
    """The two directions of such an API."""

    def request(self, call: UpstreamCall, number: int) -> UpstreamCall:
        """The provider's request for one of the images of a service's `call`, counted from 0."""
        ...

    def image(self, body: bytes) -> str | None:
        """The image in a reply in base64, None where the filter held it back. Raises UnusableReply.

        It is called in a thread.
        """
        ...


@dataclass(frozen=True, slots=True)
class WholeReply:
    """A reply that has come; implements `UpstreamReply`."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body."""
        yield self.body

    async def close(self) -> None:
        """Does nothing: there is no connection."""


class SeveralImagesTransport:
    """Sends a call as several requests; implements `Transport`."""

    def __init__(self, api: ImageApi, http: Transport) -> None:
        self._api = api
        self._http = http

    async def send(self, call: UpstreamCall, deadline_seconds: float) -> UpstreamReply:
        """See `Transport.send`; the whole reply has come within the deadline."""
        wanted: int = call.json.get("n", 1)
        tasks = [asyncio.ensure_future(self._one(call, number, deadline_seconds)) for number in range(wanted)]
        patience = min(_PATIENCE_SECONDS, deadline_seconds)
        try:
            for seconds in (patience, deadline_seconds - patience):
                await asyncio.wait(tasks, timeout=seconds)
                outcomes = [_outcome(task) for task in tasks]
                if any(isinstance(each, str) for each in outcomes):
                    break
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return await asyncio.to_thread(_joined, outcomes)

    async def close(self) -> None:
        """See `Transport.close`."""
        await self._http.close()

    async def _one(self, call: UpstreamCall, number: int, deadline_seconds: float) -> "_Outcome":
        try:
            reply = await self._http.send(self._api.request(call, number), deadline_seconds)
            try:
                body = await _read(reply, MAX_BODY_BYTES // call.json.get("n", 1))
            finally:
                await reply.close()
        except UpstreamUnreachable as error:
            return error
        if reply.status != 200:
            return WholeReply(reply.status, reply.headers, body)
        try:
            return await asyncio.to_thread(self._api.image, body)
        except UnusableReply as error:
            return UpstreamUnreachable(str(error))


_Outcome = str | None | WholeReply | UpstreamUnreachable
"""An image in base64, None for one that was held back, a refusal, or no usable reply."""


def _outcome(task: "asyncio.Task[_Outcome]") -> _Outcome:
    """The outcome of a request, so far."""
    return task.result() if task.done() else UpstreamTimedOut("no image in time")


async def _read(reply: UpstreamReply, max_bytes: int) -> bytes:
    body = bytearray()
    async for chunk in reply.chunks():
        body += chunk
        if len(body) > max_bytes:
            raise UpstreamUnreachable("a reply that is too long")
    return bytes(body)


def _joined(outcomes: Sequence[_Outcome]) -> WholeReply:
    images: list[Mapping[str, Any]] = [{"b64_json": each} for each in outcomes if isinstance(each, str)]
    refusals = [each for each in outcomes if isinstance(each, WholeReply)]
    failures = [each for each in outcomes if isinstance(each, UpstreamUnreachable)]
    if not images and refusals:
        return refusals[0]
    if not images and failures:
        raise failures[0]
    return WholeReply(200, {"content-type": "application/json"}, written_json({"data": images}))
