"""A caller's wishes about providers, as a request states them; `routing.preferences` has what they do.

A name that is a provider of one of the model's routes means that route. Any other name means one of OpenRouter's own
providers, where the model has a route to OpenRouter, and nothing where it has none.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from callmissed.catalog.model import OPENROUTER, Model
from callmissed.money import CREDIT, CREDITS_PER_USD

Sort = Literal["price", "latency", "throughput"]


@dataclass(frozen=True, slots=True)
class Preferences:
    """Wishes about the providers that serve a call.

    `order`, `only` and `ignore` are names of providers in lower case. `max_input` and `max_output` are in micro-credits
    per million tokens. `sort` is for all models, `sorts` for those whose id was asked for with a routing suffix.
    `further` are wishes that only OpenRouter understands.
    """

    order: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    allow_fallbacks: bool = True
    max_input: int | None = None
    max_output: int | None = None
    sort: Sort | None = None
    sorts: Mapping[str, Sort] = field(default_factory=dict[str, Sort])
    further: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def sort_of(self, model_id: str) -> Sort | None:
        """By what the routes of a model are sorted, None for the order of its row."""
        return self.sort or self.sorts.get(model_id)


NO_PREFERENCES = Preferences()


def openrouters_names(names: tuple[str, ...], model: Model) -> list[str]:
    """Those of `names` that mean OpenRouter's own providers."""
    routes = {route.provider for route in model.routes} | {OPENROUTER}
    return [name for name in names if name not in routes]


def for_openrouter(preferences: Preferences, model: Model) -> dict[str, Any] | None:
    """What OpenRouter gets of the preferences of a call of `model`; None where there are none.

    None of its providers may be dearer than the model, because the caller pays the model's price whoever serves.
    """
    if preferences is NO_PREFERENCES and not model.price_capped:
        return None
    wishes: dict[str, Any] = {
        "order": openrouters_names(preferences.order, model),
        "only": openrouters_names(preferences.only, model),
        "ignore": [name for name in preferences.ignore if name != OPENROUTER],
        "sort": preferences.sort,
        "allow_fallbacks": None if preferences.allow_fallbacks else False,
    }
    passed = {name: value for name, value in wishes.items() if value not in (None, [])} | dict(preferences.further)
    if not passed and not preferences.sorts and not model.price_capped:
        return None
    return passed | _most(model)


def _most(model: Model) -> dict[str, Any]:
    if model.price is None:
        return {}
    usd = CREDIT * CREDITS_PER_USD
    return {"max_price": {"prompt": model.price.input / usd, "completion": model.price.output / usd}}
