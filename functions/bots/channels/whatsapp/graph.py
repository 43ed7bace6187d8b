"""Meta's Graph API: one request, and whether it was carried out.

    GraphError
    ├─ GraphRefused          Graph answered with an error, so it did nothing; carries the error as Graph has it
    ├─ GraphUnreachable      nothing was sent: no connection, no address
    └─ GraphIndeterminate    the request may have been carried out: no answer, half of one, or a status from 500

The access token goes to the origin of `graph_url`, and to Meta's hosts of media where that is Meta's own. No redirect
is followed. A request is sent once.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import quote, urlencode

from yarl import URL

from callmissed.http.client import (
    AddressRefused,
    Answer,
    InvalidRequest,
    NotConnected,
    NotResolved,
    SafeClient,
    SendError,
    TlsFailed,
)
from callmissed.observability import LoggableError
from functions.bots.channels.whatsapp.errors import GraphFault, fault_of

JsonObject = dict[str, Any]

SEND_SECONDS = 10.0
"""Deadline of a request that sends."""

CONNECT_SECONDS = 3.0
"""Deadline of its connection. A take-over waits for longer than a claim's age at the request and this together."""

READ_SECONDS = 8.0
_MAX_ANSWER = 256 * 1024
_NOTHING_SENT = (AddressRefused, InvalidRequest, NotConnected, NotResolved, TlsFailed)
_META = "graph.facebook.com"
_MEDIA_HOSTS = (".facebook.com", ".fbsbx.com", ".whatsapp.net")


class GraphError(LoggableError):
    """A request that brought no result."""


class GraphRefused(GraphError):
    """Graph refused the request, and did nothing."""

    def __init__(self, fault: GraphFault) -> None:
        super().__init__(f"Graph answered {fault.status} with code {fault.code}")
        self.fault = fault


class GraphUnreachable(GraphError):
    """Nothing was sent."""


class GraphIndeterminate(GraphError):
    """Nobody knows whether Graph carried out the request."""


@dataclass(frozen=True, slots=True)
class MediaDownload:
    """Media as Meta's host sent it."""

    content: bytes
    mime_type: str


class GraphClient:
    """Requests to Graph at `graph_url`, which ends with the version. Every method raises GraphError."""

    def __init__(self, graph_url: str, client: SafeClient) -> None:
        self._base = graph_url.rstrip("/")
        self._origin = URL(self._base).origin()
        self._client = client

    async def get(self, path: str, token: str | None, query: Mapping[str, str] | None = None) -> JsonObject:
        """The node or edge `path`, such as `("123", "phone_numbers")` joined by slashes."""
        return await self._call("GET", path, token, query=query, timeout_seconds=READ_SECONDS)

    async def post(self, path: str, token: str, body: JsonObject) -> JsonObject:
        """Graph's answer to `body`."""
        content = json.dumps(body, separators=(",", ":")).encode()
        return await self._call("POST", path, token, content=content, content_type="application/json")

    async def upload(self, path: str, token: str, content: bytes, content_type: str) -> JsonObject:
        """Graph's answer to a form, whose `content_type` names its boundary."""
        return await self._call("POST", path, token, content=content, content_type=content_type, timeout_seconds=20.0)

    async def delete(self, path: str, token: str) -> JsonObject:
        """Graph's answer to the deletion of a node."""
        return await self._call("DELETE", path, token, timeout_seconds=READ_SECONDS)

    async def download(self, url: str, token: str, max_bytes: int) -> MediaDownload | None:
        """What is at the `url` that Graph gave for media; None when it is larger than `max_bytes`."""
        if not self._may_know_token(url):
            raise GraphUnreachable("media at a host that is not Meta's")
        headers = {"Authorization": f"Bearer {token}"}
        answer = await self._sent("GET", url, headers, None, 20.0, max_bytes)
        if answer.status != 200:
            raise _failure(answer)
        if answer.truncated:
            return None
        return MediaDownload(answer.body, answer.headers.get("Content-Type", "application/octet-stream"))

    async def close(self) -> None:
        """Drop the connections."""
        await self._client.close()

    async def _call(
        self,
        method: str,
        path: str,
        token: str | None,
        *,
        query: Mapping[str, str] | None = None,
        content: bytes | None = None,
        content_type: str | None = None,
        timeout_seconds: float = SEND_SECONDS,
    ) -> JsonObject:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        headers |= {"Content-Type": content_type} if content_type else {}
        url = f"{self._base}/{quote(path)}" + (f"?{urlencode(query)}" if query else "")
        answer = await self._sent(method, url, headers, content, timeout_seconds, _MAX_ANSWER)
        if answer.status != 200:
            raise _failure(answer)
        body = _object(answer)
        if body is None:
            raise GraphIndeterminate("Graph's answer is no JSON object")
        return body

    async def _sent(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        content: bytes | None,
        timeout_seconds: float,
        max_bytes: int,
    ) -> Answer:
        try:
            return await self._client.send(
                method,
                url,
                headers=headers,
                body=content,
                timeout_seconds=timeout_seconds,
                connect_seconds=CONNECT_SECONDS,
                max_bytes=max_bytes,
            )
        except _NOTHING_SENT as error:
            raise GraphUnreachable(type(error).__name__) from error
        except SendError as error:
            raise GraphIndeterminate(type(error).__name__) from error

    def _may_know_token(self, url: str) -> bool:
        try:
            target = URL(url)
            origin = target.origin()
        except ValueError:
            return False
        if origin == self._origin:
            return True
        at_meta = self._origin.host == _META and target.scheme == "https"
        return at_meta and (target.host or "").endswith(_MEDIA_HOSTS)


def _failure(answer: Answer) -> GraphError:
    """A 4xx is definite. Anything else may have come from between us and Graph."""
    if not 400 <= answer.status < 500:
        return GraphIndeterminate(f"Graph answered {answer.status}")
    return GraphRefused(fault_of(answer.status, _object(answer) or {}))


def _object(answer: Answer) -> JsonObject | None:
    if answer.truncated:
        return None
    try:
        body: object = json.loads(answer.body)
    except (ValueError, RecursionError):
        return None
    return cast("JsonObject", body) if isinstance(body, dict) else None
