"""Which models of the catalog may serve a request."""

from collections.abc import Callable, Sequence

from callmissed.catalog.model import UNITS, Category, Model, ProviderRoute
from callmissed.errors import ApiError

_ENDPOINTS = frozenset({Category.IMAGE, Category.SEARCH, Category.STT, Category.TTS})
"""Categories priced by units that have an endpoint."""


def model_not_found(model_id: str) -> ApiError:
    """404 for a model that the catalog doesn't have."""
    shown = model_id[:80].encode(errors="replace").decode()
    message = f"The model '{shown}' does not exist. See GET /v1/models."
    return ApiError(404, "model_not_found", message, param="model")


def in_service(models: list[Model]) -> tuple[Model, ...]:
    """The models that are not under maintenance. Raises ApiError 503 when all are."""
    live = tuple(model for model in models if model.status != "maintenance")
    if not live:
        advice = f" Use '{models[0].fallback}' meanwhile." if models[0].fallback else ""
        message = f"The model '{models[0].id}' is under maintenance.{advice}"
        raise ApiError(503, "model_under_maintenance", message, param="model")
    return live


def able(models: tuple[Model, ...], lack: Callable[[Model], ApiError | None]) -> tuple[Model, ...]:
    """The models that lack nothing, so that others are skipped. Raises the first one's ApiError when there is none."""
    lacking = [lack(model) for model in models]
    if not any(lacking):
        return models
    left = tuple(model for model, refusal in zip(models, lacking, strict=True) if refusal is None)
    if not left and lacking[0]:
        raise lacking[0]
    return left


def refusal_of_all_routes(check: Callable[[Model, ProviderRoute], None], model: Model) -> ApiError | None:
    """The first route's refusal where `check` refuses every route of `model`, whether it is configured or not."""
    refusals: list[ApiError] = []
    for route in model.routes:
        try:
            check(model, route)
        except ApiError as refused:
            refusals.append(refused)
    return refusals[0] if refusals and len(refusals) == len(model.routes) else None


def called(models: Sequence[Model]) -> str:
    """What a caller asked for who gets these models: one model, or a search by any of its providers."""
    if models[0].category is not Category.SEARCH:
        return f"The model '{models[0].billed_id}'"
    return "Web search" if len(models) > 1 else f"The search provider '{models[0].id}'"


def has_endpoint(model: Model) -> bool:
    """Whether a billed endpoint calls models of this kind, and not a socket."""
    if model.category in UNITS:
        return model.unit_price is not None and model.category in _ENDPOINTS
    return model.price is not None and not model.realtime
