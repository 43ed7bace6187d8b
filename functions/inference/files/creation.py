"""Creating files: once for each Idempotency-Key, and with nothing left of a creation that failed."""

import json

from fastapi import Request, Response

from callmissed.errors import ApiError
from callmissed.files.records import StoredFile
from callmissed.idempotency.requests import HEADER, checked_key, fingerprint
from callmissed.keys.secret import Mode
from callmissed.web.idempotency import replayed
from callmissed.web.openapi import JSON
from callmissed_ai.calls.container import Container
from callmissed_ai.calls.idempotency import IdempotentCall
from functions.inference.files.answers import file_object, promised_object
from functions.inference.files.callers import FileCaller, file_caller
from functions.inference.files.uploads import Upload, read_upload


async def create(request: Request) -> Response:
    """The answer to a request that creates a file. Raises ApiError."""
    container: Container = request.app.state.container
    try:
        upload = await read_upload(request)
        keyed = _keyed(container, request, upload)
    except ApiError:
        await file_caller(request)  # an error of the key comes before other errors
        raise
    caller = await file_caller(request)
    caller.check(upload.new.purpose)
    if keyed is None:
        return Response((await _created(container, caller, upload))[1], media_type=JSON)
    return await _once(container, request, caller, upload, keyed)


async def _once(
    container: Container, request: Request, caller: FileCaller, upload: Upload, keyed: IdempotentCall
) -> Response:
    mode = Mode.TEST if caller.owner.sandboxed else Mode.LIVE
    call_id = request.scope["state"]["call"].id
    if replay := await keyed.begin(caller.owner.tenant, mode, call_id, container.clock()):
        return replayed(replay)
    try:
        file, body = await _created(container, caller, upload)
    except BaseException:
        await keyed.release()
        raise
    try:
        await keyed.complete(JSON, body)
    except BaseException:
        await container.files.discard(file)
        raise
    return Response(body, media_type=JSON)


async def _created(container: Container, caller: FileCaller, upload: Upload) -> tuple[StoredFile, bytes]:
    """The new file, and its object as JSON."""
    if upload.body is None:
        file, form = await container.files.promise(caller.owner, upload.new, caller.max_bytes)
        return file, json.dumps(promised_object(file, form)).encode()
    file = await container.files.create(caller.owner, upload.new, upload.body, caller.max_bytes)
    return file, json.dumps(file_object(file)).encode()


def _keyed(container: Container, request: Request, upload: Upload) -> IdempotentCall | None:
    """The request's Idempotency-Key, if it has one. Raises ApiError 400 for one that can't be a key."""
    key = checked_key(request.headers.getlist(HEADER))
    if key is None:
        return None
    asked = fingerprint(request.method, request.scope["path"], request.scope["query_string"], upload.digest)
    return IdempotentCall(container.idempotency, key, asked)
