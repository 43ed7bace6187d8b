"""A native API that serves several services, each by a module of its own."""

from collections.abc import Mapping

from callmissed.errors import invalid_request
from callmissed_ai.transports.base import Transport, UpstreamCall, UpstreamReply
from callmissed_ai.transports.native import NativeApi


class ApiByPath:
    """Gives each call to the API of its path (`callmissed_ai.transports.paths`); implements `NativeApi`."""

    def __init__(self, apis: Mapping[str, NativeApi]) -> None:
        self._apis = apis

    def check(self, call: UpstreamCall) -> None:
        """See `NativeApi.check`."""
        if call.path not in self._apis:
            raise invalid_request("This model's provider can't do that.", "model")
        self._apis[call.path].check(call)

    def transport(self, http: Transport) -> Transport:
        """See `NativeApi.transport`."""
        return _TransportByPath({path: api.transport(http) for path, api in self._apis.items()}, http)


class _TransportByPath:
    def __init__(self, transports: Mapping[str, Transport], http: Transport) -> None:
        self._transports = transports
        self._http = http

    async def send(self, call: UpstreamCall, deadline_seconds: float) -> UpstreamReply:
        """See `Transport.send`; the call is one that `check` lets pass."""
        return await self._transports[call.path].send(call, deadline_seconds)

    async def close(self) -> None:
        """See `Transport.close`."""
        await self._http.close()
