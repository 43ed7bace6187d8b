"""Interface of a transport: send one JSON request, return status, headers and bytes.

A transport answers in the wire format of its dialect, also for an API of the provider's own. It passes a reply that it
can't translate on as it is, which the work's meter refuses. It never raises for an HTTP status; it raises
`UpstreamUnreachable` when there is no answer at all.
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from callmissed.observability import LoggableError


class UpstreamUnreachable(LoggableError):
    """No HTTP answer: refused, reset, timed out, or a body that broke off."""


@dataclass(frozen=True, slots=True)
class UpstreamCall:
    """One request for an upstream.

    `path` is relative to the provider's base URL, such as `/chat/completions`. `body` is the JSON object to send,
    with the upstream's own model id in `model`.
    """

    path: str
    body: Mapping[str, Any]


class UpstreamReply(Protocol):
    """An answer whose head has arrived. Its receiver must `close` it, also after reading all of it."""

    @property
    def status(self) -> int:
        """HTTP status."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """Response headers, names in lower case."""
        ...

    def chunks(self) -> AsyncIterator[bytes]:
        """The body as it arrives. Raises `UpstreamUnreachable` when it breaks off."""
        ...

    async def close(self) -> None:
        """Release the connection; before the body's end this cancels the upstream's work."""
        ...


class Transport(Protocol):
    """Sends requests to one upstream."""

    async def send(self, call: UpstreamCall, deadline_seconds: float) -> UpstreamReply:
        """Send `call`; returns when the answer's head has arrived, within `deadline_seconds`.

        Raises `UpstreamUnreachable`.
        """
        ...

    async def close(self) -> None:
        """Drop pooled connections; the next call makes new ones."""
        ...
