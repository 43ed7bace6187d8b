"""Files: POST and GET /v1/files, GET and DELETE /v1/files/{id}, and its content."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.responses import RedirectResponse

from callmissed.errors import invalid_request
from callmissed.files.records import is_file_id
from callmissed.files.repository import Listing
from callmissed.files.storage import CONTENT_TYPE
from callmissed.web.gateway_route import GatewayRoute
from callmissed.web.openapi import IDEMPOTENCY_KEY, JSON, reference
from callmissed_ai.calls.container import Container
from functions.inference.error_responses import keyed_errors
from functions.inference.files.answers import disposition, file_list, file_object
from functions.inference.files.callers import FileCaller, file_caller
from functions.inference.files.creation import create
from functions.inference.multipart import MEDIA_TYPE

_PATH = "/v1/files"
_ONE = f"{_PATH}/{{file_id}}"
MAX_PAGE = 100
MAX_DIRECT_BYTES = 10 * 1024 * 1024
"""Larger content is read from S3 through a link."""

_FORBIDDEN = "`permission_denied`, `domain_not_allowed`, `account_inactive`, `account_terminated`"
_INVALID = "`invalid_request_error`"
_ERRORS = keyed_errors(forbidden=_FORBIDDEN, invalid=_INVALID)
_ERRORS_OF_ONE = keyed_errors(
    forbidden=_FORBIDDEN, invalid=_INVALID, not_found="`file_not_found`: no such file of this key's tenant"
)
_ERRORS_OF_CONTENT = keyed_errors(
    forbidden=_FORBIDDEN,
    invalid="`invalid_request_error`, `file_not_uploaded`: the bytes are still to come",
    not_found="`file_not_found`: no such file of this key's tenant",
)
_ERRORS_OF_CREATION = keyed_errors(
    forbidden=_FORBIDDEN,
    invalid="`invalid_request_error`, `invalid_idempotency_key`",
    conflict="`idempotency_conflict`, `idempotency_in_progress`; wait `Retry-After` seconds",
    too_large="`file_too_large`: the body is over 4 MB",
    limited="`quota_exceeded`: the plan's storage is used up; `rate_limit_exceeded`: wait `Retry-After` seconds",
)
_BODY = {
    "parameters": [IDEMPOTENCY_KEY | {"description": "Creates one file in 24 hours, however often it is sent."}],
    "requestBody": {
        "required": True,
        "content": {
            MEDIA_TYPE: {"schema": reference("FileUploadForm")},
            JSON: {
                "schema": reference("FileAnnouncement"),
                "example": {"filename": "call.wav", "bytes": 20_000_000, "purpose": "audio"},
            },
        },
    },
}


def _ok(model: str) -> dict[int | str, dict[str, Any]]:
    return {200: {"content": {JSON: {"schema": reference(model)}}}}


_CallerOf = Annotated[FileCaller, Depends(file_caller)]
_FileId = Annotated[str, Path(description="`id` of the file.", max_length=512)]

router = APIRouter(tags=["files"], route_class=GatewayRoute)


@router.post(
    _PATH,
    summary="Create a file",
    responses={**_ok("CreatedFileOut"), **_ERRORS_OF_CREATION},
    openapi_extra=_BODY,
)
async def create_file(request: Request) -> Response:
    """Upload a file of at most 4 MB as a form, or announce one of at most 512 MB as JSON.

    The answer to an announcement has a form that uploads exactly the announced bytes within 15 minutes; the file is
    `pending` until then. The bytes count towards the plan's storage from now until the file is deleted or expires,
    after 30 days unless `expires_after` says earlier. A key needs the permission `llm`, or `stt` for the purpose
    `audio`.
    """
    return await create(request)


@router.get(_PATH, summary="List files", responses={**_ok("FileListOut"), **_ERRORS})
async def list_files(
    request: Request,
    caller: _CallerOf,
    after: Annotated[str, Query(description="Id of the last file of the page before.", max_length=512)] = "",
    limit: Annotated[int, Query(ge=1, le=10_000, description=f"A page has at most {MAX_PAGE} files.")] = MAX_PAGE,
    order: Literal["asc", "desc"] = "desc",
    purpose: Annotated[str | None, Query(max_length=64)] = None,
) -> dict[str, Any]:
    """Files of the key's tenant by the time of their creation; a test key sees those of test keys."""
    if after and not is_file_id(after):
        raise invalid_request("Invalid 'after': it is no id of a file.", "after")
    container: Container = request.app.state.container
    listing = Listing(caller.chosen(purpose), order == "desc", after)
    return file_list(await container.files.page(caller.owner, listing, min(limit, MAX_PAGE)))


@router.get(_ONE, summary="Get a file", responses={**_ok("FileOut"), **_ERRORS_OF_ONE})
async def get_file(request: Request, caller: _CallerOf, file_id: _FileId) -> dict[str, Any]:
    """The file without its bytes. 404 for an id of another tenant, of a deleted or expired file, and of none."""
    container: Container = request.app.state.container
    return file_object(await container.files.find(caller.owner, file_id, caller.purposes))


@router.delete(_ONE, summary="Delete a file", responses={**_ok("DeletedFileOut"), **_ERRORS_OF_ONE})
async def delete_file(request: Request, caller: _CallerOf, file_id: _FileId) -> dict[str, Any]:
    """Delete the file: nobody can read it from now on, and a call that reads it fails."""
    container: Container = request.app.state.container
    await container.files.delete(caller.owner, file_id, caller.purposes)
    return {"id": file_id, "object": "file", "deleted": True}


@router.get(
    f"{_ONE}/content",
    summary="Get the content of a file",
    response_class=Response,
    responses={
        200: {"content": {CONTENT_TYPE: {"schema": {"type": "string", "format": "binary"}}}},
        302: {"description": "`Location` is a link to the content, for five minutes."},
        **_ERRORS_OF_CONTENT,
    },
)
async def file_content(request: Request, caller: _CallerOf, file_id: _FileId) -> Response:
    """The bytes, as an attachment. Those of more than 10 MB are read through a link."""
    container: Container = request.app.state.container
    opened = await container.files.open(caller.owner, file_id, caller.purposes)
    named = disposition(opened.file.filename)
    if opened.size > MAX_DIRECT_BYTES:
        return RedirectResponse(await container.files.link(opened.file, named), 302)
    body = b"".join([chunk async for chunk in opened.chunks()])
    headers = {"Content-Disposition": named, "X-Content-Type-Options": "nosniff"}
    return Response(body, media_type=CONTENT_TYPE, headers=headers)
