"""Stored responses: GET and DELETE /v1/responses/{id}, its input items, and the refusal to cancel it."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from callmissed.errors import ApiError, invalid_request
from callmissed.web.gateway_route import GatewayRoute
from callmissed.web.openapi import JSON, reference
from callmissed_ai.calls.container import Container
from callmissed_ai.services.conversations.work import PERMISSION
from callmissed_ai.services.responses_store.pages import Order, PageRequest, page_of_items
from callmissed_ai.services.responses_store.records import Owner, StoredResponse, json_text
from functions.inference.error_responses import keyed_errors
from functions.inference.serving import authenticate_owner

_PATH = "/v1/responses/{response_id}"
_STORED_FIELDS = ("reasoning.encrypted_content", "message.input_image.image_url", "message.output_text.logprobs")
"""Fields that callers may ask to include; what is stored is shown whole."""

_ERRORS = keyed_errors(
    _PATH,
    invalid="`invalid_request_error`",
    forbidden="`permission_denied`, `domain_not_allowed`, `account_inactive`",
    not_found="`response_not_found`: no such response of this key's tenant",
)
_ResponseId = Annotated[str, Path(description="`id` of the response.", max_length=512)]
_Include = Annotated[list[str] | None, Query(description="Fields to include; what is stored is shown whole.")]

router = APIRouter(tags=["responses"], route_class=GatewayRoute)


async def _owner(request: Request) -> Owner:
    return await authenticate_owner(request, PERMISSION)


_OwnerOf = Annotated[Owner, Depends(_owner)]


@router.get(
    _PATH,
    summary="Get a stored response",
    responses={200: {"content": {JSON: {"schema": reference("ResponseOut")}}}, **_ERRORS},
)
async def retrieve_response(
    request: Request, owner: _OwnerOf, response_id: _ResponseId, stream: bool = False, include: _Include = None
) -> Response:
    """The response as it was sent; free, for 30 days from its creation.

    404 for an id of another tenant, of a response that was deleted, has expired or was not stored, and of none.
    `stream` is refused: responses are not made in the background.
    """
    if stream:
        raise invalid_request("Invalid 'stream': a stored response can't be streamed again.", "stream")
    _check_included(request, include)
    stored = await _found(request, owner, response_id)
    return Response(json_text(stored.response), media_type=JSON)


@router.delete(
    _PATH,
    summary="Delete a stored response",
    responses={200: {"content": {JSON: {"schema": reference("DeletedResponseOut")}}}, **_ERRORS},
)
async def delete_response(request: Request, owner: _OwnerOf, response_id: _ResponseId) -> dict[str, Any]:
    """Delete the response. Those that continued it keep the conversation, and stay until they are deleted or expire."""
    container: Container = request.app.state.container
    if not await container.responses.delete(owner, response_id):
        raise _not_found(response_id)
    return {"id": response_id, "object": "response", "deleted": True}


@router.get(
    f"{_PATH}/input_items",
    summary="List the items that a response was made of",
    responses={200: {"content": {JSON: {"schema": reference("ResponseItemListOut")}}}, **_ERRORS},
)
async def list_input_items(
    request: Request,
    owner: _OwnerOf,
    response_id: _ResponseId,
    order: Order = "desc",
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    after: str = "",
    before: str = "",
    include: _Include = None,
) -> Response:
    """The conversation that the model was given: the items of the responses that it continues, then its own input."""
    _check_included(request, include)
    stored = await _found(request, owner, response_id)
    page = page_of_items(stored, PageRequest(order, limit, after, before))
    return Response(json_text(page), media_type=JSON)


@router.post(f"{_PATH}/cancel", summary="Cancel a background response", responses=_ERRORS)
async def cancel_response(request: Request, owner: _OwnerOf, response_id: _ResponseId) -> None:
    """Always refused: `background` is not offered, so each response is complete before it is stored."""
    await _found(request, owner, response_id)
    raise invalid_request("Cannot cancel a synchronous response.", "response_id")


async def _found(request: Request, owner: Owner, response_id: str) -> StoredResponse:
    container: Container = request.app.state.container
    stored = await container.responses.find(owner, response_id)
    if stored is None:
        raise _not_found(response_id)
    return stored


def _not_found(response_id: str) -> ApiError:
    shown = response_id[:80].encode(errors="replace").decode()
    return ApiError(404, "response_not_found", f"Response with id '{shown}' not found.", param="response_id")


def _check_included(request: Request, include: list[str] | None) -> None:
    """Check `include`, which the SDKs write as `include[]`. Raises ApiError 400."""
    for field in [*(include or []), *request.query_params.getlist("include[]")]:
        if field not in _STORED_FIELDS:
            shown = field[:80].encode(errors="replace").decode()
            raise invalid_request(f"Invalid 'include': '{shown}' is not offered.", "include")
