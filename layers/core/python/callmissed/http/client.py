"""The one client for URLs that users give: webhooks, knowledge, the tools of agents.

A name is resolved once per connection. Every address of the answer is validated, one address that is refused refuses
the whole answer, and the socket connects to one of the first eight, without a second look-up. The address is validated
again where the socket is made, which also covers an address that stands in the URL itself. TLS sends and verifies the
host name of the URL. Redirects are returned as answers, bodies are not decompressed, cookies are not stored, and proxy
settings are not read.

There is no DNS cache. An idle connection is kept for at most 4 s, for the next call to the same scheme, host and port,
and its address never changes. No call waits for another call's connection: the caller bounds the number of parallel
calls.

    SendError
    ├─ InvalidRequest         a method, header or URL that is never sent; nothing was sent
    ├─ AddressRefused         the host has an address outside the public ones; nothing was sent
    ├─ NotResolved            the host has no address
    ├─ NotConnected           no connection: refused, unreachable, reset during the handshake, or not in time
    ├─ TlsFailed              the server speaks no TLS, or its certificate isn't valid for the host
    ├─ TimedOut               the deadline passed, at any point of the call
    ├─ HungUp                 the connection ended before the answer's headers
    └─ AnswerGarbled          the answer is not HTTP, has too large headers, or its body breaks off

Their messages may be shown to a tenant. AddressRefused and NotResolved have the same message, so that the message does
not reveal which private names exist.
"""

import asyncio
import re
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from multidict import CIMultiDictProxy
from yarl import URL

from callmissed.errors import ApiError
from callmissed.http.addresses import is_loopback, is_public
from callmissed.http.urls import checked_url

AddressRule = Callable[[str], bool]

_METHODS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[\t -~]*")
_OUR_HEADERS = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_NOT_ADDED = ("Accept", "Content-Type", "User-Agent")
_KEEPALIVE_SECONDS = 4
_MAX_HEADER_LENGTH = 8190
_MAX_HEADERS = 100
_MAX_ADDRESSES = 8


class SendError(Exception):
    """The request got no answer. The text may be shown to a tenant; the chained cause may not."""

    message = "The request failed."

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or self.message)


class InvalidRequest(SendError):
    """The request has a method, header or URL that is never sent."""

    message = "The request has a method, header or URL that is not allowed."


class AddressRefused(SendError):
    """An address of the host is not one that users may reach."""

    message = "The endpoint's host has no public address."


class NotResolved(SendError):
    """The host has no address."""

    message = AddressRefused.message


class NotConnected(SendError):
    """The endpoint accepted no connection."""

    message = "The endpoint accepts no connection."


class TlsFailed(SendError):
    """The endpoint speaks no TLS, or its certificate is not valid for the host."""

    message = "The endpoint has no valid TLS certificate for its host name, or speaks no TLS."


class TimedOut(SendError):
    """The deadline passed before the answer was complete."""

    message = "The endpoint did not answer in time."


class HungUp(SendError):
    """The connection ended before the answer began. The endpoint may have seen the request."""

    message = "The endpoint closed the connection without an answer."


class AnswerGarbled(SendError):
    """The answer is unusable. The endpoint has seen the request."""

    message = "The endpoint's answer is not valid HTTP, breaks off, or has too large headers."


_MEANINGS: tuple[tuple[type[Exception], type[SendError]], ...] = (
    (aiohttp.ConnectionTimeoutError, NotConnected),
    (TimeoutError, TimedOut),
    (aiohttp.ClientConnectorDNSError, NotResolved),
    (aiohttp.ClientSSLError, TlsFailed),
    (aiohttp.ClientConnectorError, NotConnected),
    (aiohttp.ClientResponseError, AnswerGarbled),
    (aiohttp.ClientPayloadError, AnswerGarbled),
    (aiohttp.InvalidURL, InvalidRequest),
    (Exception, HungUp),
)


@dataclass(frozen=True, slots=True)
class Answer:
    """Answer of the endpoint, with any status, redirects too.

    `body` holds its first bytes as they came over the wire, `truncated` when there were more. `latency_ms` spans
    everything from the look-up to the last byte read. Header names match in any case.
    """

    status: int
    headers: CIMultiDictProxy[str]
    body: bytes
    truncated: bool
    latency_ms: int


class SafeClient:
    """Sends requests to users' URLs. Create it anywhere, use it from one event loop."""

    def __init__(
        self,
        *,
        allow_loopback: bool = False,
        is_allowed: AddressRule | None = None,
        resolver: AbstractResolver | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """`allow_loopback`, for the local stack only, allows this machine, over plain http too. For tests, `is_allowed`
        replaces the address rule, `resolver` the system's resolver, and `tls` the system's trust store.
        """
        self._allow_loopback = allow_loopback
        self._is_allowed = is_allowed or (_is_public_or_loopback if allow_loopback else is_public)
        self._resolver = resolver
        self._tls = tls
        self._session: aiohttp.ClientSession | None = None

    async def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        timeout_seconds: float = 10,
        connect_seconds: float | None = None,
        max_bytes: int = 20_480,
    ) -> Answer:
        """The endpoint's answer with the first `max_bytes` bytes of its body. Raises SendError.

        `timeout_seconds` is the deadline of the whole call. `connect_seconds` is that of look-up, connection and
        handshake, after which nothing is sent. A request is sent once; only an idempotent method, such as GET, is sent
        again when the endpoint had just closed the kept connection. Headers that frame the message are set here: a
        caller who names one gets InvalidRequest.
        """
        started = time.perf_counter()
        target = self._checked(method, url, headers or {})
        try:
            async with asyncio.timeout(timeout_seconds):
                response = await self._pool().request(
                    method,
                    target,
                    headers=headers,
                    data=body,
                    allow_redirects=False,
                    timeout=aiohttp.ClientTimeout(connect=connect_seconds),
                )
                content, truncated = await _first_bytes(response, max_bytes)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise _meaning(error) from error
        latency_ms = round((time.perf_counter() - started) * 1000)
        return Answer(response.status, response.headers, content, truncated, latency_ms)

    async def close(self) -> None:
        """Drop the connections; the next call makes new ones (a SnapStart snapshot must hold none)."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _checked(self, method: str, url: str, headers: Mapping[str, str]) -> URL:
        if method not in _METHODS or not all(_is_sendable(*header) for header in headers.items()):
            raise InvalidRequest
        try:
            return checked_url(url, allow_loopback=self._allow_loopback)
        except ApiError as error:
            raise InvalidRequest(error.message) from error

    def _pool(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(
                resolver=_ValidatingResolver(self._resolver or aiohttp.ThreadedResolver(), self._is_allowed),
                socket_factory=self._validated_socket,
                ssl=self._tls or True,
                use_dns_cache=False,
                keepalive_timeout=_KEEPALIVE_SECONDS,
                limit=0,
            )
            self._session = _session(connector)
        return self._session

    def _validated_socket(self, info: tuple[int, int, int, str, tuple[Any, ...]]) -> socket.socket:
        family, kind, protocol, _, address = info
        if not self._is_allowed(str(address[0])):
            raise _NotAllowed
        return _open_socket(family, kind, protocol)


class _NotAllowed(OSError):
    """AddressRefused inside aiohttp, which wraps an OSError and may lose an exception of another type."""


class _ValidatingResolver(AbstractResolver):
    """Answers with addresses only when every one of them is allowed."""

    def __init__(self, resolver: AbstractResolver, is_allowed: AddressRule) -> None:
        self._resolver = resolver
        self._is_allowed = is_allowed

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The first addresses of `host`, all of them validated. Raises OSError when there is none or one is refused."""
        try:
            results = await self._resolver.resolve(host, port, family)
        except UnicodeError as error:
            raise OSError("not a name that can be looked up") from error
        if not results:
            raise OSError("no addresses")
        if not all(self._is_allowed(result["host"]) for result in results):
            raise _NotAllowed
        return results[:_MAX_ADDRESSES]

    async def close(self) -> None:
        """Close the wrapped resolver."""
        await self._resolver.close()


def _session(connector: aiohttp.TCPConnector) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=connector,
        timeout=aiohttp.ClientTimeout(),
        headers={"Accept-Encoding": "identity"},
        skip_auto_headers=_NOT_ADDED,
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        auto_decompress=False,
        max_line_size=_MAX_HEADER_LENGTH,
        max_field_size=_MAX_HEADER_LENGTH,
        max_headers=_MAX_HEADERS,
    )


def _open_socket(family: int, kind: int, protocol: int) -> socket.socket:
    return socket.socket(family, kind, protocol)


def _is_public_or_loopback(address: str) -> bool:
    return is_public(address) or is_loopback(address)


def _is_sendable(name: str, value: str) -> bool:
    if name.lower() in _OUR_HEADERS:
        return False
    return bool(_HEADER_NAME.fullmatch(name) and _HEADER_VALUE.fullmatch(value))


async def _first_bytes(response: aiohttp.ClientResponse, max_bytes: int) -> tuple[bytes, bool]:
    """The body up to `max_bytes`, and whether there was more. The connection goes back to the pool, or ends."""
    body = bytearray()
    try:
        async for chunk in response.content.iter_any():
            body += chunk
            if len(body) > max_bytes:
                return bytes(body[:max_bytes]), True
        return bytes(body), False
    finally:
        response.close()


def _meaning(error: Exception) -> SendError:
    if isinstance(error, aiohttp.ClientConnectorError) and isinstance(error.os_error, _NotAllowed):
        return AddressRefused()
    return next(meaning for kind, meaning in _MEANINGS if isinstance(error, kind))()
