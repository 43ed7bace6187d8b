"""/api/v1/whatsapp/media."""

import hashlib
from typing import Annotated
from uuid import UUID

import fastapi
from fastapi import APIRouter, Depends, Form, Path, Query, Response

from callmissed.web.caller import CallerOf
from callmissed.web.dependencies import from_state
from callmissed.web.gateway_route import GatewayRoute
from functions.bots.channels.whatsapp.uploads import UploadFile
from functions.bots.error_responses import error_responses
from functions.bots.whatsapp.media.errors import sandboxed, unknown_media
from functions.bots.whatsapp.media.ids import is_media_id, uploaded_id
from functions.bots.whatsapp.media.schemas import MediaDetails, UploadedMedia
from functions.bots.whatsapp.media.service import MAX_BYTES, WhatsAppMedia
from functions.bots.whatsapp.sandbox import SANDBOX_HEADER, is_sandboxed
from functions.bots.whatsapp.selectors import GraphId, NumberSelector

router = APIRouter(tags=["whatsapp"], route_class=GatewayRoute)
_PATH = "/api/v1/whatsapp/media"
_ONE = f"{_PATH}/{{media_id}}"
_READ_ERRORS = error_responses(400, 404, 409, 422, 502)
_HEADERS = {
    "Cache-Control": "private, no-store",
    "X-Content-Type-Options": "nosniff",
    "Content-Disposition": "attachment",
}

MediaOf = Annotated[WhatsAppMedia, from_state("media")]
MediaIdOf = Annotated[
    str, Path(max_length=128, description="Id of media: of an upload, of a received message, or Meta's.")
]


def _number_of(
    phone_id: Annotated[UUID | None, Query(description="For Meta's own id: our id of the number, or:")] = None,
    phone_number_id: Annotated[GraphId | None, Query(description="Meta's id of the number.")] = None,
) -> NumberSelector:
    return NumberSelector(phone_id=phone_id, phone_number_id=phone_number_id)


NumberOf = Annotated[NumberSelector, Depends(_number_of)]


@router.post(
    _PATH,
    summary="Upload media",
    status_code=201,
    response_model=UploadedMedia,
    responses=error_responses(404, 422, 502, changes=True),
)
async def upload_media(
    media: MediaOf,
    caller: CallerOf,
    response: Response,
    file: Annotated[fastapi.UploadFile, fastapi.File(description="At most 4 MB.")],
    phone_id: Annotated[UUID | None, Form()] = None,
    phone_number_id: Annotated[GraphId | None, Form()] = None,
) -> UploadedMedia:
    """Upload a file to Meta, for messages of the number. Meta keeps it for 30 days."""
    content = await file.read(MAX_BYTES + 1)
    selector = NumberSelector(phone_id=phone_id, phone_number_id=phone_number_id)
    if is_sandboxed(caller):
        response.headers[SANDBOX_HEADER] = "true"
        id = uploaded_id("0", str(int.from_bytes(hashlib.sha256(content).digest()[:8])))
        return UploadedMedia(id=id, media_id=id)
    upload = UploadFile(file.filename or "file", file.content_type or "application/octet-stream", content)
    return await media.upload(caller.tenant, selector, upload)


@router.get(_ONE, summary="Describe media", response_model=MediaDetails, responses=_READ_ERRORS)
async def get_media(media: MediaOf, caller: CallerOf, media_id: MediaIdOf, number: NumberOf) -> MediaDetails:
    """Type, size and checksum of media that Meta still keeps."""
    if is_sandboxed(caller):
        raise sandboxed() if is_media_id(media_id) else unknown_media()
    return await media.details(caller.tenant, media_id, number)


@router.get(
    f"{_ONE}/content",
    summary="Download media",
    response_class=Response,
    responses={200: {"content": {"application/octet-stream": {}}}, **_READ_ERRORS, **error_responses(413)},
)
async def get_media_content(media: MediaOf, caller: CallerOf, media_id: MediaIdOf, number: NumberOf) -> Response:
    """The bytes of media of at most 4 MB."""
    if is_sandboxed(caller):
        raise sandboxed() if is_media_id(media_id) else unknown_media()
    download = await media.content(caller.tenant, media_id, number)
    return Response(download.content, media_type=download.mime_type, headers=_HEADERS)
