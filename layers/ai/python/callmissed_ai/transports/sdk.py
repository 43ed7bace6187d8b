"""What the transports over official SDKs share: raw mode, no retries, no cookies.

The gateway decides on retries, and cookies of one caller must not reach another.
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, cast

import httpx2

from callmissed.observability import failure_name
from callmissed_ai.transports.base import UpstreamCall, UpstreamReply, UpstreamTimedOut, UpstreamUnreachable

NO_KEY = "none"
"""The SDKs require a key; local model servers ignore it."""


@dataclass(frozen=True, slots=True)
class _Reply:
    response: httpx2.Response

    @property
    def status(self) -> int:
        return self.response.status_code

    @property
    def headers(self) -> Mapping[str, str]:
        return self.response.headers

    async def chunks(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self.response.aiter_bytes():
                yield chunk
        except httpx2.HTTPError as error:
            raise UpstreamUnreachable(f"the body broke off: {failure_name(error)}") from error

    async def close(self) -> None:
        await self.response.aclose()


class SdkTransport:
    """Sends through one `client` of the module `sdk`. The SDKs give their errors and streams the same names."""

    def __init__(self, sdk: Any, client: Any) -> None:
        self._sdk = sdk
        self._client = client

    async def send(self, call: UpstreamCall, deadline_seconds: float) -> UpstreamReply:
        """See `Transport.send`."""
        try:
            response = await self._response(call, deadline_seconds)
        except self._sdk.APIStatusError as error:
            return _Reply(error.response)
        except self._sdk.APITimeoutError as error:
            raise UpstreamTimedOut(failure_name(error.__cause__ or error)) from error
        except self._sdk.APIConnectionError as error:
            raise UpstreamUnreachable(failure_name(error.__cause__ or error)) from error
        except httpx2.HTTPError as error:  # the SDKs read the body of a refusal outside of their own errors
            raise UpstreamUnreachable(f"a refusal broke off: {failure_name(error)}") from error
        return _Reply(cast(httpx2.Response, response))

    async def _response(self, call: UpstreamCall, deadline_seconds: float) -> object:
        options = {"timeout": deadline_seconds, "headers": call.headers}
        raw: dict[str, Any] = {"cast_to": httpx2.Response, "options": options}
        streamed = {**raw, "stream": True, "stream_cls": self._sdk.AsyncStream[object]}
        match call.method:
            case "GET":
                return await self._client.get(call.path, **streamed)
            case "DELETE":
                return await self._client.delete(call.path, **raw)
            case "POST" if isinstance(call.body, bytes):
                return await self._client.post(call.path, content=call.body, **streamed)
            case "POST":
                return await self._client.post(call.path, body=dict(call.json), **streamed)

    async def close(self) -> None:
        """Drop the connections; the next call makes new ones."""
        await self._client.close()


def http_options() -> dict[str, Any]:
    """What the SDKs' HTTP clients are made with."""
    return {"cookies": CookieJar(DefaultCookiePolicy(allowed_domains=())), "follow_redirects": False}
