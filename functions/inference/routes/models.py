"""The catalog over HTTP: OpenAI's model listing for keys, and the public one with filters and plan access."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import JSONResponse, Response

from callmissed.catalog.model import Catalog, Category, Model, Price, UnitPrice
from callmissed.errors import ApiError, is_anthropic
from callmissed.money import CREDIT, CREDITS_PER_USD
from callmissed.plans.plans import ModelAccess, Plan, limits
from callmissed.web.caching import cacheable
from callmissed.web.gateway_route import GatewayRoute
from callmissed.web.openapi import answer, either_answer
from callmissed.web.surface import VERSION_HEADER, surface_path
from callmissed_ai.calls.call import Call
from callmissed_ai.calls.container import Container
from callmissed_ai.services.models import model_not_found
from functions.inference.anthropic_listing import (
    anthropic_model,
    anthropic_page,
    find_message_model,
    message_models,
)
from functions.inference.error_responses import listing_errors, public_errors
from functions.inference.serving import authenticate

_CURRENCY = "USD"
_LISTED = [kind for kind in Category if kind is not Category.SEARCH]
EXAMPLE: dict[str, Any] = {
    "id": "kimi-k2.6",
    "aliases": [],
    "object": "model",
    "created": 1780272000,
    "owned_by": "moonshotai",
    "name": "Kimi K2.6",
    "description": "Open-weight agentic model that sees.",
    "category": "llm",
    "context_window": 262144,
    "context_length": 262144,
    "max_output_tokens": 65536,
    "pricing": {"input": 1.28, "output": 5.4, "unit": "per_million_tokens", "currency": "USD"},
    "free": True,
    "status": "live",
    "available": True,
    "unavailable_reason": None,
    "supports_streaming": True,
    "supports_tools": True,
    "supports_reasoning": True,
    "supports_vision": True,
}


def usd(micro_credits: int) -> float:
    """US dollars of list price, exact: a JSON number shows every digit that a price can have."""
    return micro_credits / (CREDIT * CREDITS_PER_USD)


def render_model(model: Model, reason: str | None = None) -> dict[str, Any]:
    """The model object of every listing: OpenAI's four fields and ours; `dimensions` where they are known.

    `reason` says why the model can't be called here.
    """
    dimensions = {} if model.dimensions is None else {"dimensions": model.dimensions}
    return {
        "id": model.id,
        "aliases": list(model.aliases),
        "object": "model",
        "created": model.created,
        "owned_by": model.owned_by,
        "name": model.name,
        "description": model.description,
        "category": model.category.value,
        "context_window": model.context_window,
        "context_length": model.context_window,
        "max_output_tokens": model.max_output_tokens or None,
        **dimensions,
        "pricing": render_pricing(model),
        "free": model.free,
        "status": model.status,
        "available": reason is None,
        "unavailable_reason": reason,
        "supports_streaming": model.supports_streaming,
        "supports_tools": model.supports_tools,
        "supports_reasoning": model.supports_reasoning,
        "supports_vision": model.supports_vision,
    }


def render_pricing(model: Model) -> dict[str, Any] | None:
    """Prices in USD; a model billed both ways shows its minute beside its tokens; None where prices vary by call."""
    if model.price is None:
        return _render_unit_price(model.unit_price) if model.unit_price else None
    pricing = _render_token_price(model.price)
    if model.unit_price:
        pricing[f"per_{model.unit_price.unit}"] = usd(model.unit_price.amount)
    return pricing


def render_list(models: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """OpenAI's list object of model objects."""
    return {"object": "list", "data": models}


def render_access(catalog: Catalog) -> dict[str, Any]:
    """What each plan may call, as ids: all together and by category."""
    return {"plans": {plan.value: _render_plan(catalog, plan) for plan in Plan}}


def _render_token_price(price: Price) -> dict[str, Any]:
    cache = {"cached_input": price.cached_input, "cache_write": price.cache_write}
    return {
        "input": usd(price.input),
        "output": usd(price.output),
        **{name: usd(amount) for name, amount in cache.items() if amount is not None},
        "unit": "per_million_tokens",
        "currency": _CURRENCY,
    }


def _render_unit_price(price: UnitPrice) -> dict[str, Any]:
    return {"price": usd(price.amount), "unit": f"per_{price.unit}", "currency": _CURRENCY}


def _render_plan(catalog: Catalog, plan: Plan) -> dict[str, Any]:
    policy = limits(plan)
    models = [model for model in catalog.listed() if policy.allows(model.free)]
    by_category = {kind.value: [model.id for model in models if model.category is kind] for kind in _LISTED}
    return {
        "models": [model.id for model in models],
        "by_category": by_category,
        "restriction": _restriction(policy.model_access, by_category),
    }


def _restriction(access: ModelAccess, by_category: Mapping[str, Sequence[str]]) -> str:
    count = sum(map(len, by_category.values()))
    match access:
        case ModelAccess.FREE_MODELS:
            return f"{count} models across {sum(map(bool, by_category.values()))} categories"
        case ModelAccess.ALL:
            return f"All {count} models"
        case ModelAccess.ALL_AND_CUSTOM:
            return f"All {count} models + custom models"


def _catalog(request: Request) -> Catalog:
    container: Container = request.app.state.container
    return container.catalog


def _rendered(request: Request, models: Sequence[Model]) -> list[dict[str, Any]]:
    """The model objects of `models` as the caller meets them: the sandbox serves every call of a test key."""
    container: Container = request.app.state.container
    call: Call = request.scope["state"]["call"]
    sandboxed = call.payer is not None and call.payer.is_sandboxed
    availability = container.router.availability
    return [render_model(model, availability.reason(model, sandboxed=sandboxed)) for model in models]


def list_for_anthropic(request: Request) -> dict[str, Any]:
    """The page of models that `request` asks for, in Anthropic's form. Raises ApiError 400."""
    return anthropic_page(_rendered(request, message_models(_catalog(request))), request.query_params)


def retrieve_for_anthropic(request: Request, model_id: str) -> dict[str, Any]:
    """One model in Anthropic's form. Raises ApiError 404."""
    return anthropic_model(_rendered(request, [find_message_model(_catalog(request), model_id)])[0])


async def any_active_key(request: Request) -> None:
    """Admit the request's key for a free call. Raises ApiError."""
    await authenticate(request)


_NO_MODEL = "`model_not_found`"
_FOR_ANTHROPIC = {
    "parameters": [
        {
            "name": VERSION_HEADER,
            "in": "header",
            "description": "As Anthropic's SDKs send it: the answer then is that of `/anthropic/v1/models`.",
            "schema": {"type": "string"},
        }
    ]
}
_INVALID_FILTER = {
    "message": "The request is invalid.",
    "type": "invalid_request_error",
    "code": "invalid_request_error",
    "request_id": "req_01",
    "details": [
        {"loc": ["query", "category"], "msg": "Input should be 'llm', 'stt', 'tts', 'image', 'embedding' or 'search'"}
    ],
}
_BROWSE_ERRORS = public_errors(unprocessable="A filter has a value that doesn't exist")
_BROWSE_ERRORS[422] |= answer("ErrorEnvelope", {"error": _INVALID_FILTER})
_ACCESS_EXAMPLE = {
    "plans": {
        "free": {
            "models": ["kimi-k2.6", "saaras:v3"],
            "by_category": {"llm": ["kimi-k2.6"], "stt": ["saaras:v3"], "tts": [], "image": [], "embedding": []},
            "restriction": "2 models across 2 categories",
        }
    }
}

router = APIRouter(tags=["models"], route_class=GatewayRoute)


@router.get(
    "/v1/models",
    summary="List models",
    dependencies=[Depends(any_active_key)],
    openapi_extra=_FOR_ANTHROPIC,
    responses={
        200: either_answer("ModelListOut", "AnthropicModelListOut", {"object": "list", "data": [EXAMPLE]}),
        **listing_errors(invalid="`invalid_request_error`: a page that the Anthropic form does not have"),
    },
)
async def list_models(request: Request) -> Response:
    """Every model of the catalog, in the shape of OpenAI's list with prices, limits and abilities added.

    `available` says whether a call is served here, `unavailable_reason` why not. A request with `anthropic-version`
    gets what `/anthropic/v1/models` answers.
    """
    if is_anthropic(surface_path(request.scope)):
        return JSONResponse(list_for_anthropic(request))
    return JSONResponse(render_list(_rendered(request, _catalog(request).listed())))


@router.get(
    "/v1/models/{model_id:path}",
    summary="Retrieve a model",
    dependencies=[Depends(any_active_key)],
    openapi_extra=_FOR_ANTHROPIC,
    responses={
        200: either_answer("ModelOut", "AnthropicModelOut", EXAMPLE),
        **listing_errors(not_found=_NO_MODEL),
    },
)
async def retrieve_model(request: Request, model_id: str) -> Response:
    """One model by its id or an alias; a routing suffix (`:nitro`, `:floor`) is allowed.

    A request with `anthropic-version` gets what `/anthropic/v1/models/{model_id}` answers.
    """
    if is_anthropic(surface_path(request.scope)):
        return JSONResponse(retrieve_for_anthropic(request, model_id))
    model = _catalog(request).find(model_id)
    if model is None:
        raise model_not_found(model_id)
    return JSONResponse(_rendered(request, [model])[0])


@router.get(
    "/api/v1/models",
    summary="Browse the catalog",
    responses={200: answer("CatalogOut", {"data": [EXAMPLE]}), **_BROWSE_ERRORS},
)
async def browse_models(
    request: Request,
    category: Annotated[Category | None, Query(description="Only models of this category.")] = None,
    free: Annotated[bool | None, Query(description="Only models in the free list (true), or only others.")] = None,
) -> Response:
    """Models with prices, limits and abilities; public."""
    models = _catalog(request).listed(category, free)
    return cacheable(request, {"data": _rendered(request, models)})


@router.get(
    "/api/v1/models/access",
    summary="Models by plan",
    responses={200: answer("ModelAccessOut", _ACCESS_EXAMPLE), **public_errors()},
)
async def model_access(request: Request) -> Response:
    """The ids of the models that each plan may call; public."""
    return cacheable(request, render_access(_catalog(request)))


@router.get(
    "/api/v1/models/{model_id:path}",
    summary="Look up a model",
    responses={200: answer("ModelOut", EXAMPLE), **public_errors(not_found="`not_found`: no such model")},
)
async def look_up_model(request: Request, model_id: str) -> Response:
    """One model by its id or an alias; public."""
    model = _catalog(request).find(model_id)
    if model is None:
        raise ApiError(404, "not_found", "There is no such model.")
    return cacheable(request, _rendered(request, [model])[0])
