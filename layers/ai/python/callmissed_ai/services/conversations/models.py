"""Which models of the catalog may serve a chat: those asked for, without those that can't."""

from collections.abc import Mapping
from functools import partial

from callmissed.catalog.model import Catalog, Category, Model
from callmissed.errors import ApiError, invalid_request
from callmissed_ai.dialects.dialect import Asked, Dialect
from callmissed_ai.services.conversations.auto import AUTO, capable_models
from callmissed_ai.services.models import able, model_not_found

MIN_OUTPUT_TOKENS = 256
"""The shortest reply for which a limit that nobody asked for is lowered to what can be paid."""


def chat_model(catalog: Catalog, caller: Dialect, model_id: str) -> Model:
    """The model that a `caller` calls `model_id`. Raises ApiError 400, 404 for none that chats."""
    model = catalog.find(model_id) or catalog.find(caller.full_model_id(model_id))
    if model is None:
        raise model_not_found(model_id)
    if model.category != Category.LLM or model.realtime or model.price is None:
        raise invalid_request(f"The model '{model.id}' can't be used for chat completions.", "model")
    return model


def asked_models(catalog: Catalog, asked: Asked, named: Mapping[str, Model]) -> list[Model]:
    """The models that were asked for, each once, with those that may serve `auto` in its place."""
    models = {model.id: model for model in named.values()}
    if AUTO not in models:
        return list(models.values())
    return [
        each
        for model in models.values()
        for each in (capable_models(catalog, model, asked) if model.id == AUTO else (model,))
    ]


def models_with_room(models: tuple[Model, ...], asked: Asked) -> tuple[Model, ...]:
    """Those of `models` that see what they are shown, and can write as much as is asked for.

    Raises ApiError 400 when there is none.
    """
    return able(able(models, partial(_lack_of_sight, asked)), partial(_lack_of_room, asked))


def _lack_of_sight(asked: Asked, model: Model) -> ApiError | None:
    """400 for a model that is shown images and can't see."""
    if model.supports_vision or not asked.has_images:
        return None
    message = f"The model '{model.id}' can't see images."
    return invalid_request(message, asked.prompt_field, "unsupported_image_input")


def _lack_of_room(asked: Asked, model: Model) -> ApiError | None:
    """400 for a model that can't write as much as is asked for."""
    for field, limit in asked.output_limits.items():
        most = max(model.max_output_tokens, model.context_window or 0)
        if limit > most:
            shown = str(limit) if limit < 10**12 else "the number"
            message = f"{field} is too large: {shown}. The model '{model.id}' writes at most {most} tokens."
            return invalid_request(message, field)
    return None if asked.output_limits else _lack_of_room_for_thoughts(asked.thinking_budget, model)


def _lack_of_room_for_thoughts(budget: int, model: Model) -> ApiError | None:
    """400 for a model that can't write a reply beside what it may think, where the limit is up to us."""
    most = model.max_output_tokens
    if not budget or budget + MIN_OUTPUT_TOKENS <= most:
        return None
    message = f"reasoning.max_tokens is too large. The model '{model.id}' writes at most {most} tokens in all."
    return invalid_request(message, "reasoning.max_tokens")
