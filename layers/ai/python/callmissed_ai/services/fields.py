"""Which routes of a model may get a request with fields that not every provider may get."""

from collections.abc import Iterable
from dataclasses import replace

from callmissed.catalog.model import Catalog, Model, ProviderRoute
from callmissed.errors import ApiError, invalid_request
from callmissed_ai.dialects.further_fields import CACHE_CONTROL, FurtherField

_SHOWN_CHARACTERS = 120


def restricted(catalog: Catalog, models: tuple[Model, ...], further: Iterable[FurtherField]) -> tuple[Model, ...]:
    """`models`, each with those routes alone whose providers admit every field of `further`.

    Raises ApiError 400 `unsupported_field` for the first field that leaves a model without a route.
    """
    for field in further:
        models = tuple(_restricted(catalog, model, field) for model in models)
    return models


def _restricted(catalog: Catalog, model: Model, field: FurtherField) -> Model:
    routes = tuple(route for route in model.routes if _admits(catalog, model, route, field.name))
    if not routes:
        raise _unsupported(model, field)
    return model if routes == model.routes else replace(model, routes=routes)


def _admits(catalog: Catalog, model: Model, route: ProviderRoute, name: str) -> bool:
    if name == CACHE_CONTROL and model.price and model.price.cache_write is not None:
        return True
    return name in catalog.providers[route.provider].unpriced_fields


def _unsupported(model: Model, field: FurtherField) -> ApiError:
    param = field.param[:_SHOWN_CHARACTERS]
    message = (
        f"The field '{param}' can't be used with '{model.id}': it is not known to leave the price unchanged. "
        "See docs/providers.md for the fields that are."
    )
    return invalid_request(message, param, "unsupported_field")
