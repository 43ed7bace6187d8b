"""Interface of a transport: send one request, return status, headers and bytes.

A transport answers in the wire format of its dialect, also for an API of the provider's own. It passes a reply that it
can't translate on as it is, which the work's meter refuses. It never raises for an HTTP status; it raises
`UpstreamUnreachable` when there is no answer at all.
"""

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from callmissed.observability import LoggableError

Method = Literal["GET", "POST", "DELETE"]


class UpstreamUnreachable(LoggableError):
    """No HTTP answer: refused, reset, timed out, or a body that broke off."""


class UpstreamTimedOut(UpstreamUnreachable):
    """No HTTP answer in time."""


@dataclass(frozen=True, slots=True)
class UpstreamCall:
    """One request for an upstream.

    `path` is relative to the provider's base URL, such as `/chat/completions`, and percent-encoded. `body` is the JSON
    object to send, or bytes whose `Content-Type` is among the `headers`; b"" where there is none. `headers` come on top
    of those of the provider. `wants_samples` says that nothing in the bytes of a reply would show what they are: one
    whose `Content-Type` is that of a text is none.
    """

    path: str
    body: Mapping[str, Any] | bytes
    method: Method = "POST"
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    wants_samples: bool = False

    @property
    def json(self) -> Mapping[str, Any]:
        """The JSON object to send. Raises TypeError for a call with bytes."""
        if isinstance(self.body, bytes):
            raise TypeError("the call has bytes")
        return self.body

    def payload(self) -> bytes:
        """The bytes to send."""
        if isinstance(self.body, bytes):
            return self.body
        return json.dumps(self.body, ensure_ascii=False, separators=(",", ":")).encode()


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
