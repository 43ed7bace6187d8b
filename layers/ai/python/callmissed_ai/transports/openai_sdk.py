"""The official `openai` SDK as a transport, in raw mode: for upstreams whose API differs in ways that the SDK handles.

Its import takes more than a second of CPU, so a provider's row has to choose it (`transport = "openai_sdk"`).
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import cast

import httpx2
import openai
from openai import AsyncOpenAI, AsyncStream, DefaultAsyncHttpxClient, RequestOptions

from callmissed.observability import failure_name
from callmissed_ai.transports.base import UpstreamCall, UpstreamReply, UpstreamTimedOut, UpstreamUnreachable

_NO_KEY = "none"
"""The SDK requires a key; local model servers ignore it."""


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


class OpenAiSdkTransport:
    """Sends through one `AsyncOpenAI`, without the SDK's own retries: the gateway decides on retries."""

    def __init__(self, base_url: str, api_key: str | None, headers: Mapping[str, str]) -> None:
        no_cookies = CookieJar(DefaultCookiePolicy(allowed_domains=()))  # cookies of one caller must not reach another
        self._client = AsyncOpenAI(
            base_url=base_url,
            api_key=api_key or _NO_KEY,
            default_headers=dict(headers),
            max_retries=0,
            http_client=DefaultAsyncHttpxClient(cookies=no_cookies, follow_redirects=False),
        )

    async def send(self, call: UpstreamCall, deadline_seconds: float) -> UpstreamReply:
        """See `Transport.send`."""
        try:
            response = await self._response(call, deadline_seconds)
        except openai.APIStatusError as error:
            return _Reply(error.response)
        except openai.APITimeoutError as error:
            raise UpstreamTimedOut(failure_name(error.__cause__ or error)) from error
        except openai.APIConnectionError as error:
            raise UpstreamUnreachable(failure_name(error.__cause__ or error)) from error
        return _Reply(cast(httpx2.Response, response))

    async def _response(self, call: UpstreamCall, deadline_seconds: float) -> object:
        client, kind, events = self._client, httpx2.Response, AsyncStream[object]
        options: RequestOptions = {"timeout": deadline_seconds, "headers": call.headers}
        match call.method:
            case "GET":
                return await client.get(call.path, cast_to=kind, options=options, stream=True, stream_cls=events)
            case "DELETE":
                return await client.delete(call.path, cast_to=kind, options=options)
            case "POST" if isinstance(call.body, bytes):
                return await client.post(
                    call.path, cast_to=kind, content=call.body, options=options, stream=True, stream_cls=events
                )
            case "POST":
                return await client.post(
                    call.path, cast_to=kind, body=dict(call.json), options=options, stream=True, stream_cls=events
                )

    async def close(self) -> None:
        """Drop the connections; the next call makes new ones."""
        await self._client.close()
