"""The `bare` transport: aiohttp to any base URL, a quarter of the CPU that an SDK needs per call
(docs/decisions/0004-upstream-transport.md).
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from io import BytesIO

import aiohttp
from botocore.exceptions import BotoCoreError, ClientError
from yarl import URL

from callmissed.aws.signing import DailyKeySigner
from callmissed.clock import Clock, system_clock
from callmissed.observability import failure_name
from callmissed_ai.transports.base import UpstreamCall, UpstreamReply, UpstreamTimedOut, UpstreamUnreachable

_CONNECT_SECONDS = 5.0
_SILENCE_SECONDS = 600.0
_PIECEWISE_BYTES = 2**20
_JSON = {"Content-Type": "application/json"}
_SERVICE = "bedrock"
_FAILURES = (aiohttp.ClientError, TimeoutError, OSError)


@dataclass(frozen=True, slots=True)
class _Reply:
    response: aiohttp.ClientResponse

    @property
    def status(self) -> int:
        return self.response.status

    @property
    def headers(self) -> Mapping[str, str]:
        return {name.lower(): value for name, value in self.response.headers.items()}

    async def chunks(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self.response.content.iter_any():
                yield chunk
        except _FAILURES as error:
            raise UpstreamUnreachable(f"the body broke off: {failure_name(error)}") from error

    async def close(self) -> None:
        self.response.close() if not self.response.content.at_eof() else self.response.release()


def _data(payload: bytes) -> BytesIO | bytes | None:
    """`payload` as aiohttp takes it: a long one is sent in pieces, so that other calls need not wait."""
    return BytesIO(payload) if len(payload) > _PIECEWISE_BYTES else payload or None


class HttpTransport:
    """Sends requests to `base_url` with these headers, the key's among them, through a connection pool of its own.

    With a `signing_region`, they are signed for Bedrock in that region with the credentials of the process.
    """

    def __init__(
        self,
        base_url: str,
        headers: Mapping[str, str],
        *,
        signing_region: str = "",
        clock: Clock = system_clock,
    ) -> None:
        self._base_url = str(URL(base_url)).rstrip("/")
        self._headers = headers
        self._signing_region = signing_region
        self._clock = clock
        self._signer: DailyKeySigner | None = None
        self._session: aiohttp.ClientSession | None = None

    async def send(self, call: UpstreamCall, deadline_seconds: float) -> UpstreamReply:
        """See `Transport.send`."""
        url, payload = URL(self._base_url + call.path, encoded=True), call.payload()
        headers = call.headers if isinstance(call.body, bytes) else {**_JSON, **call.headers}
        if self._signing_region:
            headers = self._signed(call.method, url, headers, payload)
        try:
            async with asyncio.timeout(deadline_seconds):
                return _Reply(
                    await self._pool().request(
                        call.method, url, data=_data(payload), headers=headers, allow_redirects=False
                    )
                )
        except TimeoutError as error:
            raise UpstreamTimedOut(failure_name(error)) from error
        except _FAILURES as error:
            raise UpstreamUnreachable(failure_name(error)) from error

    async def close(self) -> None:
        """Drop connections and credentials; the next call makes new ones."""
        session, self._session, self._signer = self._session, None, None
        if session is not None:
            await session.close()

    def _signed(self, method: str, url: URL, headers: Mapping[str, str], payload: bytes) -> Mapping[str, str]:
        """`headers` with the signature of what is sent. Raises UpstreamUnreachable without credentials."""
        try:
            if self._signer is None:
                self._signer = DailyKeySigner(None, self._signing_region, self._base_url, _SERVICE, self._clock)
            headers = {**self._headers, **headers}
            return {**headers, **self._signer.signed_headers(method, url.raw_path, headers, payload)}
        except (BotoCoreError, ClientError) as error:
            raise UpstreamUnreachable(f"no AWS credentials: {failure_name(error)}") from error

    def _pool(self) -> aiohttp.ClientSession:
        if self._session is None:
            timeout = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS, sock_read=_SILENCE_SECONDS)
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=512, keepalive_timeout=30),
                cookie_jar=aiohttp.DummyCookieJar(),  # cookies of one caller must not reach another
                timeout=timeout,
                headers=self._headers,
                skip_auto_headers=("User-Agent",),
                read_bufsize=2**18,
            )
        return self._session
