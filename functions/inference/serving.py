"""From an HTTP request to the pipeline and back: the API key, the Idempotency-Key, the answer's headers."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from functools import partial

from fastapi import Request, Response
from starlette.types import Receive, Scope, Send

from callmissed.errors import ApiError
from callmissed.files.records import FileOwner
from callmissed.idempotency.requests import HEADER, checked_key, fingerprint
from callmissed.idempotency.store import Replay
from callmissed.keys.credentials import calling_origin, presented_secret
from callmissed.money import NOTHING
from callmissed.platform.routes import Permission
from callmissed.web.idempotency import replayed
from callmissed_ai.answers.events import event_stream
from callmissed_ai.answers.raw import raw_stream
from callmissed_ai.answers.streaming import ReplyStream
from callmissed_ai.answers.whole import whole
from callmissed_ai.calls.call import AdmittedPayer, Call
from callmissed_ai.calls.container import Container
from callmissed_ai.calls.idempotency import IdempotentCall
from callmissed_ai.calls.payer import AdmittedKey, KeyPayer, Payer
from callmissed_ai.calls.pipeline import Answer, find_replay, run
from callmissed_ai.calls.stored_call import StoredCall
from callmissed_ai.services.responses_store.records import Owner
from callmissed_ai.services.service import Service
from callmissed_ai.work import Work
from functions.inference.body import parse_object, read_body
from functions.inference.multipart import CallBody, read_fields
from functions.inference.quota_headers import quota_headers


async def serve(request: Request, service: Service, whole_answer: Answer[bytes] | None = None) -> Response:
    """Run the billed call of `request`; `whole_answer` replaces the usual one. Raises ApiError."""
    container: Container = request.app.state.container
    raw = await read_body(request)
    call, payer = _call(request), await _payer(request, service)
    try:
        body = read_fields(request, raw) if service.forms else CallBody(parse_object(raw), raw)
        work = await _work(container, call, service, body)
        call.idempotent = None if work.streamed else _idempotent(container, request, body.identity, service)
    except ApiError as refused:
        if call.payer is None:
            await authenticate(request, service.permission)  # an error of the key comes before other errors
        if replay := await _replay_of_missing(container, call, request, raw, service):
            return _replayed(replay)
        raise _refusal(call, refused) from None
    try:
        return _response(call, work, await run(container, call, payer, work, _answer(service, work, whole_answer)))
    except ApiError as refused:
        _hide_from_foreign_pages(request, refused)
        raise _refusal(call, refused) from None


def _answer(service: Service, work: Work, whole_answer: Answer[bytes] | None) -> Answer[bytes | ReplyStream]:
    """The form in which the reply is sent: audio as bytes, other streams as events."""
    if not work.streamed or service.closing is None:
        return whole_answer or partial(whole, complete=service.complete)
    return raw_stream if work.media_type.startswith("audio/") else partial(event_stream, closing=service.closing)


async def authenticate(request: Request, permission: Permission | None = None) -> str:
    """Admit the request's key for a free call; returns its tenant. Raises ApiError 401, 402, 403, 429, 503."""
    return (await authenticate_owner(request, permission)).tenant


async def authenticate_owner(request: Request, permission: Permission | None = None) -> Owner:
    """As `authenticate`; returns whose stored responses the key may see."""
    return (await authenticate_payer(request, permission)).owner


async def authenticate_payer(request: Request, permission: Permission | None = None) -> AdmittedPayer:
    """As `authenticate`; returns the payer that the key admits."""
    container: Container = request.app.state.container
    call = _call(request)
    try:
        call.payer = await _key_payer(request).admit(container, permission, NOTHING)
    except ApiError as refused:
        _hide_from_foreign_pages(request, refused)
        raise
    return call.payer


async def _payer(request: Request, service: Service) -> Payer:
    """Who pays for the call. To read a form takes long enough that no stranger gets it done: its key is admitted first.

    Raises ApiError 401, 403, 429, 503.
    """
    if not service.forms:
        return _key_payer(request)
    call, clock = _call(request), request.app.state.container.clock
    begun = clock()
    payer = AdmittedKey(await authenticate_payer(request, service.permission))
    call.db_wait = clock() - begun
    return payer


async def _work(container: Container, call: Call, service: Service, sent: CallBody) -> Work:
    """The work in a body, with the stored conversation that it continues. Raises ApiError."""
    body, size = sent.fields, len(sent.identity)
    if service.continues:
        call.stored = await StoredCall.read(container.responses, body, size, stores=service.stores)
        body = call.stored.join().body
    catalog = await container.router.catalog_for(body)
    if call.stored:
        fitting = await call.stored.fit(catalog)
        body, size = fitting.body, fitting.size
    if service.with_files:
        owner = FileOwner(call.admitted.tenant, call.admitted.is_sandboxed)
        body = await service.with_files(container.files, owner, body)
        return container.router.prepared(await asyncio.to_thread(service.parse, catalog, body, size))
    return container.router.prepared(service.parse(catalog, body, size))


async def _replay_of_missing(
    container: Container, call: Call, request: Request, raw: bytes, service: Service
) -> Replay | None:
    """The reply that the request got while the response that it continues was there.

    No other error of the key shows: it would set a missing response apart from one of another tenant.
    """
    if call.stored is None or not call.stored.is_missing:
        return None
    with suppress(ApiError):
        call.idempotent = _idempotent(container, request, raw, service)
        return await find_replay(container, call)
    return None


def _refusal(call: Call, refused: ApiError) -> ApiError:
    """What the admitted caller may learn: of another tenant's stored response, that there is none."""
    if call.stored is None:
        return refused
    if call.payer:
        try:
            call.stored.check_owner(call.payer.owner)
        except ApiError as not_found:
            return not_found
    return call.stored.in_callers_words(refused)


class _AsgiResponse(Response):
    """An ASGI application as a route's response."""

    def __init__(self, app: ReplyStream) -> None:
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


def _response(call: Call, work: Work, answer: bytes | ReplyStream | Replay) -> Response:
    if isinstance(answer, Replay):
        return _replayed(answer)
    headers = _headers(call, work)
    if isinstance(answer, bytes):
        return Response(answer, media_type=work.media_type, headers=headers)
    answer.headers = headers
    return _AsgiResponse(answer)


def _replayed(replay: Replay) -> Response:
    response = replayed(replay)
    response.headers["X-Generation-Id"] = f"gen_{replay.call_id}"
    return response


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
    engine = {"X-CallMissed-Engine": call.engine} if call.engine else {}
    return {"X-CallMissed-Provider": call.provider, **model, **engine}
