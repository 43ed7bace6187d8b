"""From an HTTP request to the pipeline and back: the API key, the Idempotency-Key, the answer's headers."""

from collections.abc import Mapping
from functools import partial

from fastapi import Request, Response
from starlette.types import Receive, Scope, Send

from callmissed.errors import ApiError
from callmissed.idempotency.requests import HEADER, checked_key, fingerprint
from callmissed.idempotency.store import Replay
from callmissed.keys.credentials import calling_origin, presented_secret
from callmissed.money import NOTHING
from callmissed.platform.routes import Permission
from callmissed.web.idempotency import replayed
from callmissed_ai.answers.events import EventStream, event_stream
from callmissed_ai.answers.whole import whole
from callmissed_ai.calls.call import Call
from callmissed_ai.calls.container import Container
from callmissed_ai.calls.idempotency import MEDIA_TYPE, IdempotentCall
from callmissed_ai.calls.payer import KeyPayer
from callmissed_ai.calls.pipeline import Answer, run
from callmissed_ai.services.service import Service
from callmissed_ai.work import Work
from functions.inference.body import parse_object, read_body
from functions.inference.quota_headers import quota_headers


async def serve(request: Request, service: Service) -> Response:
    """Run the billed call of `request`. Raises ApiError."""
    container: Container = request.app.state.container
    raw = await read_body(request)
    payer, call = _key_payer(request), _call(request)
    try:
        body = parse_object(raw)
        catalog = await container.router.catalog_for(body)
        work = container.router.prepared(service.parse(catalog, body, len(raw)))
        call.idempotent = None if work.streamed else _idempotent(container, request, raw, service)
    except ApiError:
        await authenticate(request, service.permission)  # an error of the key comes before other errors
        raise
    answer: Answer[bytes | EventStream] = (
        partial(event_stream, closing=service.closing) if service.closing and work.streamed else whole
    )
    try:
        return _response(call, work, await run(container, call, payer, work, answer))
    except ApiError as refused:
        _hide_from_foreign_pages(request, refused)
        raise


async def authenticate(request: Request, permission: Permission | None = None) -> str:
    """Admit the request's key for a free call; returns its tenant. Raises ApiError 401, 402, 403, 429, 503."""
    container: Container = request.app.state.container
    call = _call(request)
    try:
        call.payer = await _key_payer(request).admit(container, permission, NOTHING)
    except ApiError as refused:
        _hide_from_foreign_pages(request, refused)
        raise
    return call.payer.tenant


class _AsgiResponse(Response):
    """An ASGI application as a route's response."""

    def __init__(self, app: EventStream) -> None:
        super().__init__()
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)


def _call(request: Request) -> Call:
    return request.scope["state"]["call"]


def _key_payer(request: Request) -> KeyPayer:
    """The API key in the request's headers. Raises ApiError 401."""
    # Web pages may read errors too: only origins with a locked key pass the preflight.
    request.scope["state"]["readable"] = True
    headers = request.headers.items()
    return KeyPayer(presented_secret(headers), calling_origin(headers))


def _hide_from_foreign_pages(request: Request, refused: ApiError) -> None:
    request.scope["state"]["readable"] = refused.code != "domain_not_allowed"


def _idempotent(container: Container, request: Request, body: bytes, service: Service) -> IdempotentCall | None:
    """The request's Idempotency-Key, if it has one. Raises ApiError 400 for one that can't be a key."""
    key = checked_key(request.headers.getlist(HEADER))
    if key is None:
        return None
    values = [value.encode() for value in service.header_values]
    asked = fingerprint(request.method, request.scope["path"], request.scope["query_string"], body, *values)
    return IdempotentCall(container.idempotency, key, asked)


def _response(call: Call, work: Work, answer: bytes | EventStream | Replay) -> Response:
    if isinstance(answer, Replay):
        response = replayed(answer)
        response.headers["X-Generation-Id"] = f"gen_{answer.call_id}"
        return response
    headers = _headers(call, work)
    if isinstance(answer, bytes):
        return Response(answer, media_type=MEDIA_TYPE, headers=headers)
    answer.headers = headers
    return _AsgiResponse(answer)


def _headers(call: Call, work: Work) -> Mapping[str, str]:
    timing = f"db;dur={call.db_wait / 1000:.3f}, upstream;dur={call.upstream_wait / 1000:.3f}"
    return {
        "X-Generation-Id": f"gen_{call.id}",
        "Server-Timing": timing,
        **_serving_headers(call, work),
        **quota_headers(call, work.quota),
    }


def _serving_headers(call: Call, work: Work) -> dict[str, str]:
    """Who serves, where that is known before the head leaves; the model where it is another than asked for."""
    if not call.provider:
        return {}
    model = {"X-CallMissed-Model": call.model} if call.model != work.model_id else {}
    return {"X-CallMissed-Provider": call.provider, **model}
