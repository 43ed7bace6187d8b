"""Which of its models and routes may serve a call, found out before anything is written for it."""

from collections.abc import Callable, Iterator
from dataclasses import replace

from callmissed.catalog.model import Model, ProviderRoute
from callmissed.errors import ApiError
from callmissed_ai.routing.preferences import preferred
from callmissed_ai.work import Work


def servable(work: Work, is_configured: Callable[[str], bool]) -> Work:
    """`work` with the models and routes that can have it, from the first one on.

    Routes whose provider `is_configured` not are left out, unless there are no others: the sandbox may serve then. A
    route that can't have the request is one whose dialect lacks something of it. Later routes are found out about when
    they are tried. Raises the first route's ApiError 400 when none can, and 400 for preferences that leave no route.
    """
    configured = tuple(_models_with(work.models, is_configured))
    wanted = preferred(configured or work.models, work.preferences)
    return _from_first_possible(work, wanted) if configured else _narrowed(work, wanted)


def _models_with(models: tuple[Model, ...], is_configured: Callable[[str], bool]) -> Iterator[Model]:
    for model in models:
        routes = tuple(route for route in model.routes if is_configured(route.provider))
        if routes:
            yield model if routes == model.routes else replace(model, routes=routes)


def _from_first_possible(work: Work, models: tuple[Model, ...]) -> Work:
    refusal: ApiError | None = None
    for number, model in enumerate(models):
        for place, route in enumerate(model.routes):
            refused = _refusal(work, model, route)
            if refused is None:
                return _narrowed(work, (_from_route(model, place), *models[number + 1 :]))
            refusal = refusal or refused
    raise refusal or AssertionError("a model has no route")


def _from_route(model: Model, place: int) -> Model:
    return replace(model, routes=model.routes[place:]) if place else model


def _refusal(work: Work, model: Model, route: ProviderRoute) -> ApiError | None:
    try:
        work.check_route(model, route)
    except ApiError as refused:
        return refused
    return None


def _narrowed(work: Work, models: tuple[Model, ...]) -> Work:
    return work if models == work.models else work.narrowed(models)
