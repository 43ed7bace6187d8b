"""`auto`: a free model that can do what the request asks for, at the price of `auto`."""

from collections.abc import Sequence
from dataclasses import replace

from callmissed.catalog.model import SANDBOX, Catalog, Category, Model
from callmissed.errors import invalid_request
from callmissed_ai.dialects.dialect import Asked

AUTO = "auto"
"""The id of the row whose price and access count."""


def capable_models(catalog: Catalog, auto: Model, asked: Asked) -> Sequence[Model]:
    """The models that may serve a request for `auto`, the first one first; that of its own row is the last.

    Cheap ones come before dear ones, and those whose window surely holds the request before all others, whose windows
    decide: our count of the request is an upper bound. Raises ApiError 400 when no free model can do what is asked for.
    """
    free = [model for model in catalog.listed(Category.LLM, free=True) if _is_choice(model) and _can(model, asked)]
    free.sort(key=lambda model: (*_lack(model, asked), _list_price(model)))
    own = [auto] if _can(auto, asked) else []
    if not free and not own:
        raise invalid_request(
            f"No free model can do all that the request asks for. Name one instead of '{AUTO}'.", "model"
        )
    return [*(replace(model, price=auto.price, billed_as=auto.id) for model in free), *own]


def _is_choice(model: Model) -> bool:
    """Whether a model may be chosen at all: it chats, is live, and is not the one that only pretends."""
    real = any(route.provider != SANDBOX for route in model.routes)
    return real and model.id != AUTO and model.status == "live" and model.price is not None and not model.realtime


def _can(model: Model, asked: Asked) -> bool:
    limit = min(asked.output_limits.values(), default=1)
    return (
        (model.supports_vision or not asked.has_images)
        and (model.supports_tools or not asked.uses_tools)
        and (model.supports_json or not asked.wants_json)
        and (model.supports_streaming or not asked.streamed)
        and asked.thinking_budget < model.max_output_tokens // 2
        and limit <= max(model.max_output_tokens, model.context_window or 0)
    )


def _lack(model: Model, asked: Asked) -> tuple[bool, int]:
    """Whether the window may be too small for the request, and by how much."""
    window = model.context_window or asked.input_tokens
    lack = max(0, asked.input_tokens + min(asked.output_limits.values(), default=1) - window)
    return bool(lack), lack


def _list_price(model: Model) -> int:
    return model.price.input + model.price.output if model.price else 0
