"""Chat completions as a billed service: which models may serve a request, and what it can cost at most."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from callmissed import money
from callmissed.catalog.model import Catalog, Category, Model, ProviderRoute, routing_suffix
from callmissed.errors import ApiError, invalid_request
from callmissed.money import MicroCredits
from callmissed.platform.routes import Permission
from callmissed_ai.charges import Charges, max_token_cost, token_charges, token_price
from callmissed_ai.dialects.json_reply import JsonReplyMeter
from callmissed_ai.dialects.openai_chat.errors import refusal_of
from callmissed_ai.dialects.openai_chat.fields import further_chat_fields, without_neutral_values
from callmissed_ai.dialects.openai_chat.reply import checked_reply, written_text
from callmissed_ai.dialects.openai_chat.request import (
    GATEWAY_FIELDS,
    LIMIT_FIELDS,
    PATH,
    check_counts,
    content_parts,
    images,
    max_input_tokens,
    parse_chat,
)
from callmissed_ai.dialects.openai_chat.stream import ChatStreamMeter
from callmissed_ai.dialects.openai_chat.usage import count_request, estimate_request, read_usage
from callmissed_ai.dialects.output_bounds import output_bounds
from callmissed_ai.services.fields import restricted
from callmissed_ai.services.models import in_service, model_not_found
from callmissed_ai.tokens import counting
from callmissed_ai.tokens.usage import TokenUsage
from callmissed_ai.transports.base import UpstreamCall
from callmissed_ai.work import Meter

PERMISSION = Permission.LLM
DEFAULT_OUTPUT_TOKENS = 16_384
"""Output limit that a call without one gets, if its model allows as much."""

MIN_OUTPUT_TOKENS = 256
"""The shortest reply for which a limit that nobody asked for is lowered to what can be paid."""

_REWRITTEN_FIELDS = GATEWAY_FIELDS | {*LIMIT_FIELDS}
_ROUTES_BY_SUFFIX = frozenset({"openrouter"})

_Count = Callable[[Callable[[], str]], TokenUsage]
"""Tokens of the call, whose reply is what was written."""


@dataclass(frozen=True, slots=True)
class ChatWork:
    """A priced chat call; implements `Work`. `models` are the one asked for and its fallbacks.

    Token counts are upper bounds. `implicit_limit` says that we set the output limit because the caller set none.
    `routing` is the suffix (`nitro`, `floor`) with which the caller asked for the model.
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

    permission = PERMISSION
    service = "llm"
    quota = "llm"

    @property
    def estimate(self) -> MicroCredits:
        """The dearest outcome in micro-credits, over all models that may serve the call."""
        return max(max_token_cost(model, self.input_tokens, self.output_tokens * self.choices) for model in self.models)

    def shorter(self, available: MicroCredits) -> "ChatWork | None":
        """The same call with a shorter reply that `available` micro-credits cover, or None if that is no use."""
        if not self.implicit_limit or self.output_tokens <= MIN_OUTPUT_TOKENS:
            return None
        shortest = replace(self, output_tokens=MIN_OUTPUT_TOKENS)
        if shortest.estimate > available:
            return None
        dearest = max(token_price(model).output for model in self.models) * self.choices
        spare = (available - shortest.estimate) * money.PER_MILLION // max(1, dearest)
        return replace(self, output_tokens=min(self.output_tokens, MIN_OUTPUT_TOKENS + spare))

    def request_for(self, model: Model, route: ProviderRoute) -> UpstreamCall:
        """What to send to `route`: the caller's body with the upstream's model id and usage switched on.

        The output limit goes into the one field that this upstream obeys, because the hold relies on it.
        """
        body = {name: value for name, value in self.body.items() if name not in _REWRITTEN_FIELDS}
        body["model"] = self._upstream_id(route)
        if self.streamed:
            body["stream_options"] = {**(body.get("stream_options") or {}), "include_usage": True}
        body[model.output_limit_field] = self._output_limit(model)
        return UpstreamCall(PATH, _with_effort(body, model))

    def refusal(self, error: object) -> ApiError:
        """See `Work.refusal`."""
        return refusal_of(error, "messages")

    def meter(self, model: Model, *, sandboxed: bool = False) -> Meter:
        """See `Work.meter`."""
        charge = partial(self._charges, partial(self._estimated if sandboxed else self._counted, model), model)
        bounds = output_bounds(self._output_limit(model) * self.choices)
        if self.streamed:
            return ChatStreamMeter(wants_usage=self.wants_usage, bounds=bounds, charge=charge)

        async def charge_reply(reply: Mapping[str, Any]) -> Charges:
            usage = read_usage(reply.get("usage"))
            return await charge(usage, lambda: "" if usage else written_text(reply))

        return JsonReplyMeter(checked_reply, charge_reply, bounds.body_bytes)

    async def _charges(
        self, count: _Count, model: Model, reported: TokenUsage | None, written: Callable[[], str]
    ) -> Charges:
        """Charges by what the reply reports, and by our own count of what was `written` since, or in all.

        It is counted in a thread: loading the tokenizer and long texts take seconds that other calls need.
        """
        if reported is None:
            return token_charges(model, await asyncio.to_thread(count, written))
        if text := written():
            left = max(0, self.output_tokens * self.choices - reported.output)
            more = await asyncio.to_thread(counting.count_text, text, left)
            reported = replace(reported, output=reported.output + more, estimated=True)
        return token_charges(model, reported)

    def _counted(self, model: Model, written: Callable[[], str]) -> TokenUsage:
        """Our own count, which ends where the hold does."""
        read = count_request(self.body, min(self.input_tokens, model.context_window or self.input_tokens))
        return TokenUsage(read, counting.count_text(written(), self.output_tokens * self.choices), estimated=True)

    def _estimated(self, _model: Model, written: Callable[[], str]) -> TokenUsage:
        """What costs nothing is not counted whole."""
        return TokenUsage(estimate_request(self.body), counting.estimate_texts([written()]), estimated=True)

    def _output_limit(self, model: Model) -> int:
        """The limit for `model`: one that nobody asked for must not be more than the model can write."""
        most = model.max_output_tokens if self.implicit_limit else self.output_tokens
        return min(self.output_tokens, most)

    def _upstream_id(self, route: ProviderRoute) -> str:
        understood = self.routing and route.provider in _ROUTES_BY_SUFFIX
        return f"{route.upstream_id}:{self.routing}" if understood else route.upstream_id


def parse(catalog: Catalog, body: Mapping[str, Any], size: int) -> ChatWork:
    """The work of a chat `body` of `size` bytes. Raises ApiError 400, 404 or 503 for what no model can do."""
    check_counts(body, size)
    body = without_neutral_values(body)
    request = parse_chat(body)
    models = in_service([_chat_model(catalog, model_id) for model_id in request.model_ids])
    models = restricted(catalog, models, further_chat_fields(body))
    parts = content_parts(body)
    if images(parts):
        _require_vision(models)
    for field, asked in request.output_limits.items():
        _require_room(models[0], field, asked)
    limit = min(request.output_limits.values(), default=None)
    most = max(model.max_output_tokens for model in models)
    return ChatWork(
        body=body,
        models=models,
        streamed=bool(request.stream),
        wants_usage=request.wants_usage,
        input_tokens=max_input_tokens(parts, size),
        output_tokens=limit if limit is not None else min(DEFAULT_OUTPUT_TOKENS, most),
        choices=request.n or 1,
        implicit_limit=limit is None,
        routing=routing_suffix(request.model),
    )


def _chat_model(catalog: Catalog, model_id: str) -> Model:
    model = catalog.find(model_id)
    if model is None:
        raise model_not_found(model_id)
    if model.category != Category.LLM or model.realtime or model.price is None:
        raise invalid_request(f"The model '{model.id}' can't be used for chat completions.", "model")
    return model


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
    sent = model.reasoning_efforts.get(asked, asked)
    return body | {"reasoning_effort": sent} if sent else {k: v for k, v in body.items() if k != "reasoning_effort"}
