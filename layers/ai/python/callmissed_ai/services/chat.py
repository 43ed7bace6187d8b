"""From a request to a plan: which upstreams may serve it, in which order, and what it can cost at most."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from callmissed import money
from callmissed.catalog.model import Catalog, Category, Model, Price, ProviderRoute, routing_suffix
from callmissed.errors import ApiError, invalid_request
from callmissed_ai.dialects.openai_chat import (
    GATEWAY_FIELDS,
    LIMIT_FIELDS,
    ChatRequest,
    images,
    most_input_tokens,
)

DEFAULT_OUTPUT_TOKENS = 16_384
"""Output limit that a call without one gets, if its model allows as much."""

_REWRITTEN_FIELDS = GATEWAY_FIELDS | {*LIMIT_FIELDS}
_ROUTES_BY_SUFFIX = frozenset({"openrouter"})

LEAST_OUTPUT_TOKENS = 256
"""The shortest reply for which a limit that nobody asked for is lowered to what the wallet affords."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A priced chat call. `models` are the one asked for and its fallbacks; token counts are upper bounds.

    `implicit_limit` says that we set the output limit because the caller set none. `routing` is the suffix (`nitro`,
    `floor`) with which the caller asked for the model.
    """

    body: Mapping[str, Any]
    models: tuple[Model, ...]
    streamed: bool
    wants_usage: bool
    input_tokens: int
    output_tokens: int
    choices: int
    implicit_limit: bool
    routing: str = ""

    @property
    def estimate(self) -> int:
        """The dearest outcome in micro-credits, over all models that may serve the call."""
        return max(self._most(model) for model in self.models)

    def affordable(self, available: int) -> "Plan | None":
        """The same call with a shorter reply that `available` micro-credits cover, or None if that is no use."""
        if not self.implicit_limit or self.output_tokens <= LEAST_OUTPUT_TOKENS:
            return None
        least = replace(self, output_tokens=LEAST_OUTPUT_TOKENS)
        if least.estimate > available:
            return None
        dearest = max(_price(model).output for model in self.models) * self.choices
        spare = (available - least.estimate) * money.PER_MILLION // max(1, dearest)
        return replace(self, output_tokens=min(self.output_tokens, LEAST_OUTPUT_TOKENS + spare))

    def upstream_body(self, model: Model, route: ProviderRoute) -> dict[str, Any]:
        """What to send to `route`: the caller's body with the upstream's model id and usage switched on.

        The output limit goes into the one field that this upstream obeys, because the hold relies on it.
        """
        body = {name: value for name, value in self.body.items() if name not in _REWRITTEN_FIELDS}
        body["model"] = self._upstream_id(route)
        if self.streamed:
            body["stream_options"] = {**(body.get("stream_options") or {}), "include_usage": True}
        body[model.output_limit_field] = self._output_limit(model)
        return _with_effort(body, model)

    def _output_limit(self, model: Model) -> int:
        """The limit for `model`: one that nobody asked for must not be more than the model can write."""
        most = model.max_output_tokens if self.implicit_limit else self.output_tokens
        return min(self.output_tokens, most)

    def _upstream_id(self, route: ProviderRoute) -> str:
        understood = self.routing and route.provider in _ROUTES_BY_SUFFIX
        return f"{route.upstream_id}:{self.routing}" if understood else route.upstream_id

    def _most(self, model: Model) -> int:
        price = _price(model)
        window = model.context_window or self.input_tokens
        dearest_input = max(price.input, price.cached_input or 0)
        return money.ceiling(
            (min(self.input_tokens, window), dearest_input), (self.output_tokens * self.choices, price.output)
        )


def plan_chat(catalog: Catalog, body: Mapping[str, Any], request: ChatRequest, size: int) -> Plan:
    """Plan a chat call whose body had `size` bytes. Raises ApiError 400, 404 or 503 for what no model can do."""
    models = _in_service([_chat_model(catalog, model_id) for model_id in request.model_ids])
    if any(True for _ in images(body)):
        _require_vision(models)
    for field, asked in request.output_limits.items():
        _require_room(models[0], field, asked)
    limit = min(request.output_limits.values(), default=None)
    most = max(model.max_output_tokens for model in models)
    return Plan(
        body=body,
        models=models,
        streamed=bool(request.stream),
        wants_usage=request.wants_usage,
        input_tokens=most_input_tokens(body, size),
        output_tokens=limit if limit is not None else min(DEFAULT_OUTPUT_TOKENS, most),
        choices=request.n or 1,
        implicit_limit=limit is None,
        routing=routing_suffix(request.model),
    )


def model_not_found(model_id: str) -> ApiError:
    """404 for a model that the catalog doesn't have."""
    shown = model_id[:80].encode(errors="replace").decode()
    message = f"The model '{shown}' does not exist. See GET /v1/models."
    return ApiError(404, "model_not_found", message, param="model")


def _chat_model(catalog: Catalog, model_id: str) -> Model:
    model = catalog.find(model_id)
    if model is None:
        raise model_not_found(model_id)
    if model.category != Category.LLM or model.realtime or model.price is None:
        raise invalid_request(f"The model '{model.id}' can't be used for chat completions.", "model")
    return model


def _in_service(models: list[Model]) -> tuple[Model, ...]:
    """Those of the models that are not under maintenance. Raises ApiError 503 when all are."""
    live = tuple(model for model in models if model.status != "maintenance")
    if not live:
        advice = f" Use '{models[0].fallback}' meanwhile." if models[0].fallback else ""
        message = f"The model '{models[0].id}' is under maintenance.{advice}"
        raise ApiError(503, "model_under_maintenance", message, param="model")
    return live


def _require_vision(models: tuple[Model, ...]) -> None:
    for model in models:
        if not model.supports_vision:
            message = f"The model '{model.id}' can't see images."
            raise invalid_request(message, "messages", "unsupported_image_input")


def _require_room(model: Model, field: str, limit: int) -> None:
    most = max(model.max_output_tokens, model.context_window or 0)
    if limit > most:
        shown = str(limit) if limit < 10**12 else "the number"
        message = f"{field} is too large: {shown}. The model '{model.id}' writes at most {most} tokens."
        raise invalid_request(message, field)


def _with_effort(body: dict[str, Any], model: Model) -> dict[str, Any]:
    asked = body.get("reasoning_effort")
    if asked is None or model.reasoning_efforts is None:
        return body
    sent = model.reasoning_efforts.get(asked, "")
    return body | {"reasoning_effort": sent} if sent else {k: v for k, v in body.items() if k != "reasoning_effort"}


def _price(model: Model) -> Price:
    if model.price is None:
        raise ValueError(f"'{model.id}' has no token price")
    return model.price
