"""GET /anthropic/v1/models and /anthropic/v1/models/{model_id}: the catalog for the Anthropic SDKs."""

from typing import Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, Response

from callmissed.web.gateway_route import GatewayRoute
from callmissed.web.openapi import answer
from functions.inference.anthropic_listing import MAX_LIMIT, USUAL_LIMIT, anthropic_model
from functions.inference.error_responses import keyed_errors
from functions.inference.routes.models import EXAMPLE, any_active_key, list_for_anthropic, retrieve_for_anthropic

_PATH = "/anthropic/v1/models"
_EXAMPLE = anthropic_model(EXAMPLE)
_PAGE_EXAMPLE = {"data": [_EXAMPLE], "has_more": False, "first_id": _EXAMPLE["id"], "last_id": _EXAMPLE["id"]}


def _parameter(name: str, description: str, **schema: Any) -> dict[str, Any]:
    return {"name": name, "in": "query", "description": description, "schema": schema}


_PAGING = [
    _parameter("limit", "Models on a page.", type="integer", minimum=1, maximum=MAX_LIMIT, default=USUAL_LIMIT),
    _parameter("after_id", "Return the page after this model.", type="string"),
    _parameter("before_id", "Return the page before this model.", type="string"),
]

router = APIRouter(tags=["models"], route_class=GatewayRoute)


@router.get(
    _PATH,
    summary="List models",
    dependencies=[Depends(any_active_key)],
    openapi_extra={"parameters": _PAGING},
    responses={
        200: answer("AnthropicModelListOut", _PAGE_EXAMPLE),
        **keyed_errors(_PATH, invalid="`invalid_request_error`: `limit` or a cursor is wrong"),
    },
)
async def list_message_models(request: Request) -> Response:
    """The models that messages can name, page by page, in the form of Anthropic's list with our fields added."""
    return JSONResponse(list_for_anthropic(request))


@router.get(
    _PATH + "/{model_id:path}",
    summary="Retrieve a model",
    dependencies=[Depends(any_active_key)],
    responses={
        200: answer("AnthropicModelOut", _EXAMPLE),
        **keyed_errors(_PATH, not_found="`model_not_found`"),
    },
)
async def retrieve_message_model(request: Request, model_id: str) -> Response:
    """One model that messages can name, by its id or an alias; a bare `claude-*` means `anthropic/claude-*`."""
    return JSONResponse(retrieve_for_anthropic(request, model_id))
