"""Which routes of a model may get a request with fields that not every provider may get."""

from collections.abc import Iterable
from dataclasses import replace

from callmissed.catalog.model import Catalog, DialectName, Model, ProviderRoute
from callmissed.errors import ApiError, invalid_request
from callmissed_ai.dialects.further_fields import CACHE_CONTROL, FurtherField

_SHOWN_CHARACTERS = 120
_PREFERENCES = "provider."
"""Begins the places of preferences about providers, which no translation reads: they go on as they are."""


def restricted(
    catalog: Catalog, dialect: DialectName, models: tuple[Model, ...], further: Iterable[FurtherField]
) -> tuple[Model, ...]:
    """`models`, each with those routes alone whose providers admit every field of `further`; those that have some.

    To a provider of another dialect than the request's `dialect` goes only what its translation knows.

    Raises ApiError 400 `unsupported_field` for the first field that leaves no model.
    """
    for field in further:
        left = tuple(filter(None, (_restricted(catalog, dialect, model, field) for model in models)))
        if not left:
            raise _unsupported(models[0], field)
        models = left
    return models


def _restricted(catalog: Catalog, dialect: DialectName, model: Model, field: FurtherField) -> Model | None:
    routes = tuple(route for route in model.routes if _admits(catalog, dialect, model, route, field))
    if routes == model.routes:
        return model
    return replace(model, routes=routes) if routes else None


def _admits(catalog: Catalog, dialect: DialectName, model: Model, route: ProviderRoute, field: FurtherField) -> bool:
    if not field.param.startswith(_PREFERENCES):
        if catalog.dialects.get(route.provider) != dialect:
            return True
        if field.name == CACHE_CONTROL and model.price and model.price.cache_write is not None:
            return True
    return field.name in catalog.providers[route.provider].unpriced_fields


def _unsupported(model: Model, field: FurtherField) -> ApiError:
    param = field.param[:_SHOWN_CHARACTERS]
    message = (
        f"The field '{param}' can't be used with '{model.id}': it is not known to leave the price unchanged. "
        "See docs/providers.md for the fields that are."
    )
    return invalid_request(message, param, "unsupported_field")
