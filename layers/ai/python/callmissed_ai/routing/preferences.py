"""What a caller's preferences do to the routes of models."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from callmissed.catalog.model import OPENROUTER, Model, ProviderRoute
from callmissed.errors import ApiError, invalid_request
from callmissed_ai.preferences.wishes import NO_PREFERENCES, Preferences, openrouters_names

NO_ROUTE = "no_matching_provider"
_LAST = 1_000

_Filter = Callable[[Model, Preferences], Model | None]


def preferred(models: tuple[Model, ...], preferences: Preferences) -> tuple[Model, ...]:
    """`models` with the routes that the caller wants, those of `order` first.

    Raises ApiError 400 that names the preference which leaves no route of any model.
    """
    if preferences is NO_PREFERENCES:
        return models
    for param, wanted in _FILTERS:
        left = tuple(filter(None, (wanted(model, preferences) for model in models)))
        if not left:
            raise nothing_left(param, models[0].id)
        models = left
    return models


def nothing_left(param: str, model_id: str) -> ApiError:
    """400: the preference `param` leaves no route."""
    shown = model_id[:80]
    return invalid_request(f"'{param}' leaves no provider that serves '{shown}' here.", param, NO_ROUTE)


def _affordable(model: Model, preferences: Preferences) -> Model | None:
    price = model.price
    if price is None:
        return model
    limits = ((price.input, preferences.max_input), (price.output, preferences.max_output))
    return model if all(limit is None or amount <= limit for amount, limit in limits) else None


def _only(model: Model, preferences: Preferences) -> Model | None:
    if not preferences.only:
        return model
    names = {*preferences.only, *((OPENROUTER,) if openrouters_names(preferences.only, model) else ())}
    return _with(model, (route for route in model.routes if route.provider in names))


def _not_ignored(model: Model, preferences: Preferences) -> Model | None:
    return _with(model, (route for route in model.routes if route.provider not in preferences.ignore))


def _ordered(model: Model, preferences: Preferences) -> Model | None:
    """The routes of `order` first; without fallbacks those alone, or the first of all where `order` is not given."""
    places = _places(model, preferences)
    routes = sorted(model.routes, key=lambda route: places.get(route.provider, _LAST))
    if not preferences.allow_fallbacks:
        routes = routes[: ordered_count(model, preferences)] if preferences.order else routes[:1]
    return _with(model, iter(routes))


def ordered_count(model: Model, preferences: Preferences) -> int:
    """How many routes `order` names; what is known of their speed does not move them."""
    places = _places(model, preferences)
    return sum(route.provider in places for route in model.routes)


def _places(model: Model, preferences: Preferences) -> Mapping[str, int]:
    places = {name: place for place, name in enumerate(preferences.order)}
    theirs = openrouters_names(preferences.order, model)
    if theirs:
        places.setdefault(OPENROUTER, places[theirs[0]])
    return places


def _with(model: Model, routes: Iterator[ProviderRoute]) -> Model | None:
    kept = tuple(routes)
    if kept == model.routes:
        return model
    return replace(model, routes=kept) if kept else None


_FILTERS: tuple[tuple[str, _Filter], ...] = (
    ("provider.max_price", _affordable),
    ("provider.only", _only),
    ("provider.ignore", _not_ignored),
    ("provider.order", _ordered),
)
