"""A native API whose requests and replies are one JSON object each."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, cast

from callmissed_ai.dialects.json_reply import UnusableReply
from callmissed_ai.dialects.output_bounds import MAX_BODY_BYTES
from callmissed_ai.dialects.strict_json import read_strictly
from callmissed_ai.dialects.written_json import written_json
from callmissed_ai.transports.base import Transport, UpstreamCall, UpstreamReply, UpstreamUnreachable


class JsonApi(Protocol):
    """The two directions of such an API."""

    def request(self, call: UpstreamCall) -> UpstreamCall:
        """The provider's request for a service's `call`."""
        ...

    def reply(self, call: UpstreamCall, reply: Mapping[str, Any]) -> Mapping[str, Any]:
        """The provider's `reply` in the service's format. Raises UnusableReply."""
        ...


class JsonTransport:
    """Translates one request and one reply; implements `Transport`.

    A refusal passes as it is: `callmissed_ai.routing.refusals` reads the errors of all providers. A reply that can't be
    used is none, so that the next route is tried.
    """

    def __init__(self, api: JsonApi, http: Transport) -> None:
        self._api = api
        self._http = http

    async def send(self, call: UpstreamCall, deadline_seconds: float) -> UpstreamReply:
        """See `Transport.send`."""
        reply = await self._http.send(self._api.request(call), deadline_seconds)
        return _TranslatedReply(self._api, call, reply) if reply.status == 200 else reply

    async def close(self) -> None:
        """See `Transport.close`."""
        await self._http.close()


@dataclass(frozen=True, slots=True)
class _TranslatedReply:
    """The reply of a provider as the service reads it, made when the whole of it has come; `UpstreamReply`."""

    api: JsonApi
    call: UpstreamCall
    sent: UpstreamReply
    status: int = 200

    @property
    def headers(self) -> Mapping[str, str]:
        return self.sent.headers

    async def chunks(self) -> AsyncIterator[bytes]:
        body = bytearray()
        async for chunk in self.sent.chunks():
            body += chunk
            if len(body) > MAX_BODY_BYTES:
                raise UpstreamUnreachable("a reply that is too long")
        yield self._translated(bytes(body))

    async def close(self) -> None:
        await self.sent.close()

    def _translated(self, body: bytes) -> bytes:
        try:
            value = read_strictly(body)
            if not isinstance(value, dict):
                raise UnusableReply("no object")
            return written_json(self.api.reply(self.call, cast("dict[str, Any]", value)))
        except ValueError as error:
            raise UpstreamUnreachable("a reply that is not JSON") from error
        except UnusableReply as error:
            raise UpstreamUnreachable(str(error)) from error
