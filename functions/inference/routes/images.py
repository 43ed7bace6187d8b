"""POST /v1/images/generations and GET /v1/images/history."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import Query, Request, Response

from callmissed.clock import Micros, micros_of
from callmissed.errors import invalid_request
from callmissed.platform.routes import Permission
from callmissed.web.openapi import JSON, answer, reference
from callmissed_ai.answers.images import images
from callmissed_ai.calls.container import Container
from callmissed_ai.dialects.openai_images.request import ImagesRequest
from callmissed_ai.services.image_history.records import ImageRecord
from callmissed_ai.services.images import SERVICE
from functions.inference.call_router import CallDescription, CallRouter
from functions.inference.error_responses import keyed_errors
from functions.inference.serving import authenticate_payer, serve

_EPOCH = datetime.fromtimestamp(0, UTC)
_DRAWN = {"created": 1_780_272_000, "data": [{"b64_json": "iVBORw0KGgo=", "revised_prompt": None}]}
_DESCRIPTION = CallDescription(
    request=ImagesRequest,
    example={"model": "sandbox-image", "prompt": "A lighthouse at dusk", "size": "64x64"},
    answer={"description": "The images that came.", **answer("ImagesOut", _DRAWN)},
)
_ERRORS = keyed_errors(invalid="`invalid_request_error`", forbidden="`permission_denied`, `domain_not_allowed`")

router = CallRouter("images")


@router.call("/v1/images/generations", summary="Draw images", description=_DESCRIPTION)
async def create_images(request: Request) -> Response:
    """Draw 1 to 4 images from a prompt, in the OpenAI dialect with `negative_prompt`, `seed` and `steps`.

    Each image that comes costs the model's price, and none that does not: fewer than `n` cost what came. What a
    provider can't do with a field is refused with 400 before anything is held, and `content_policy_violation` of its
    filter costs nothing. `url` works for an hour.
    """
    return await serve(request, SERVICE, images)


@router.get(
    "/v1/images/history",
    summary="List a key's images",
    responses={200: {"content": {JSON: {"schema": reference("ImageHistoryOut")}}}, **_ERRORS},
)
async def list_images(
    request: Request,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    before: Annotated[str | None, Query(description="`next_cursor` of the page before, or any ISO time.")] = None,
) -> dict[str, Any]:
    """The images of the calling key, the newest first; free, for 30 days from their creation."""
    payer = await authenticate_payer(request, Permission.IMAGE)
    container: Container = request.app.state.container
    page = await container.images.page(payer.key_id, limit, _moment(before) if before else None)
    return {
        "data": [_shown(record, url) for record, url in page.records],
        "next_cursor": None if page.before is None else _iso(page.before),
    }


def _shown(record: ImageRecord, url: str) -> dict[str, Any]:
    names = ("model", "size", "prompt", "negative_prompt", "revised_prompt", "seed", "steps")
    values = {name: getattr(record, name) for name in names}
    return {"id": record.image_id, "url": url, **values, "created": _iso(record.created)}


def _moment(text: str) -> Micros:
    """The moment in `before`, whose `+` a query may have made a blank. Raises ApiError 400."""
    try:
        return micros_of(text.replace(" ", "+"))
    except (ValueError, TypeError, OverflowError):  # of a time without a zone, and of one beyond the calendar
        raise invalid_request("Invalid 'before': no ISO 8601 time with a time zone.", "before") from None


def _iso(moment: Micros) -> str:
    """ISO 8601 in UTC with microseconds: no two images of a key have the same."""
    return (_EPOCH + timedelta(microseconds=moment)).isoformat(timespec="microseconds").replace("+00:00", "Z")
