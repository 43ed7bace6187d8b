"""The Lambda handler of an ASGI application behind API Gateway: Mangum, over events in a normal form.

Of an event's headers, those are removed that a proxy in front may have set, the caller as well as API Gateway, and
those that frame the message: Mangum reads `Host`, `X-Forwarded-Port` and `X-Forwarded-Proto`, and fails for some values
(https://github.com/Kludex/mangum/issues/303). So no application sees them. A repeated header stays repeated.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from mangum import Mangum
from mangum.types import LambdaContext
from starlette.types import ASGIApp, Receive, Scope, Send

from callmissed.web.gateway_route import RESOURCE

Event = dict[str, Any]

_REMOVED = frozenset(
    {
        "connection",
        "content-length",
        "expect",
        "forwarded",
        "host",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "via",
        "x-original-host",
        "x-original-url",
        "x-real-ip",
        "x-rewrite-url",
    }
)
_REMOVED_PREFIXES = ("proxy-", "x-amzn-", "x-forwarded", "x-http-method", "x-method-override")


class LambdaHandler:
    """Answers events of API Gateway's proxy integration with `app`, on the current event loop of its thread."""

    def __init__(self, app: ASGIApp) -> None:
        self._mangum = Mangum(GatewayScope(app), lifespan="off")

    def __call__(self, event: Event, context: LambdaContext) -> Event:
        """Answer one event."""
        return self._mangum(normalized(event), context)


class GatewayScope:
    """Gives `app` the scope of a normalized event: its headers one by one, and the resource."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        event: Event = scope["aws.event"]
        repeated: Mapping[str, list[str]] = event["multiValueHeaders"]
        headers = [(name.encode(), value.encode()) for name, values in repeated.items() for value in values]
        await self._app({**scope, "headers": headers, RESOURCE: event.get("resource", "")}, receive, send)


def normalized(event: Event) -> Event:
    """`event` with names of headers in lower case, values trimmed, and without headers that proxies set."""
    headers: dict[str, list[str]] = {}
    for name, value in _all_values(event, "multiValueHeaders", "headers"):
        name = name.lower()
        if name not in _REMOVED and not name.startswith(_REMOVED_PREFIXES):
            headers.setdefault(name, []).append(value.strip(" \t"))
    query: dict[str, list[str]] = {}
    for name, value in _all_values(event, "multiValueQueryStringParameters", "queryStringParameters"):
        query.setdefault(name, []).append(value)
    return {**event, "headers": {}, "multiValueHeaders": headers, "multiValueQueryStringParameters": query}


def _all_values(event: Event, repeated: str, single: str) -> Iterator[tuple[str, str]]:
    """Names and values as text that can be encoded."""
    only: Mapping[str, str] = event.get(single) or {}
    values: Mapping[str, list[str]] = event.get(repeated) or {name: [value] for name, value in only.items()}
    for name, several in values.items():
        for value in several:
            yield _encodable(name), _encodable(value)


def _encodable(text: str) -> str:
    return text.encode(errors="replace").decode()
