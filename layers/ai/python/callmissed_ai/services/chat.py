"""Chat in every dialect as a billed service: which models may serve a request, and what it can cost at most."""

import asyncio
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from callmissed import money
from callmissed.catalog.model import (
    OPENROUTER,
    SANDBOX,
    Catalog,
    Category,
    DialectName,
    Model,
    ProviderRoute,
    ProviderSettings,
    UpstreamDialectName,
    routing_suffix,
)
from callmissed.errors import ApiError, invalid_request
from callmissed.money import MicroCredits
from callmissed.platform.routes import Permission
from callmissed_ai.charges import Charges, max_token_cost, token_charges, token_price
from callmissed_ai.dialects.adaptation.field_names import in_neutral_terms, in_own_terms
from callmissed_ai.dialects.adaptation.media import media_urls, with_inline_media
from callmissed_ai.dialects.adaptation.quirks import adapted
from callmissed_ai.dialects.conversation import Conversation, ReplyFrame
from callmissed_ai.dialects.dialect import Asked, Charge, Dialect, Target, UpstreamDialect
from callmissed_ai.dialects.opening import open_dialect, open_upstream_dialect
from callmissed_ai.dialects.output_bounds import LOWEST_LIMITS, output_bounds
from callmissed_ai.dialects.stream_meter import StreamMeter
from callmissed_ai.dialects.tools.names import given_names
from callmissed_ai.dialects.translation import Translation, translated_reply_meter
from callmissed_ai.preferences.request_field import FIELD, preferences_of
from callmissed_ai.preferences.wishes import NO_PREFERENCES, Preferences, Sort, for_openrouter
from callmissed_ai.services.auto import AUTO, capable_models
from callmissed_ai.services.betas import beta_headers, beta_names, parse_betas, restricted_to_betas
from callmissed_ai.services.fields import restricted
from callmissed_ai.services.models import able, in_service, model_not_found
from callmissed_ai.services.service import Service
from callmissed_ai.services.translated_requests import TranslatedRequests
from callmissed_ai.tokens import counting
from callmissed_ai.tokens.usage import TokenUsage
from callmissed_ai.transports.base import UpstreamCall
from callmissed_ai.transports.media import FetchMedia
from callmissed_ai.work import Meter

PERMISSION = Permission.LLM
DEFAULT_OUTPUT_TOKENS = 16_384
"""Output limit that a call without one gets, if its model allows as much."""

MIN_OUTPUT_TOKENS = 256
"""The shortest reply for which a limit that nobody asked for is lowered to what can be paid."""

_SORTS: Mapping[str, Sort] = {"nitro": "throughput", "floor": "price"}
"""What a routing suffix sorts by."""

_SUFFIXES = {sort: suffix for suffix, sort in _SORTS.items()}

_Count = Callable[[Callable[[], str]], TokenUsage]
"""Tokens of the call, whose reply is what was written."""


@dataclass(frozen=True, slots=True)
class ChatWork:
    """A priced chat call; implements `Work`. `models` are the one asked for and its fallbacks.

    `body` is the request in the `caller`'s dialect, `requests` has it in others; `dialects` and `providers` have those
    of the catalog. Token counts are upper bounds. `implicit_limit` says that we set the output limit because the caller
    set none. `betas` are those that the caller asks for.
    """

    caller: Dialect
    dialects: Mapping[str, UpstreamDialectName]
    providers: Mapping[str, ProviderSettings]
    body: Mapping[str, Any]
    requests: TranslatedRequests
    asked: Asked
    model_id: str
    models: tuple[Model, ...]
    output_tokens: int
    implicit_limit: bool
    preferences: Preferences = NO_PREFERENCES
    betas: tuple[str, ...] = ()

    permission = PERMISSION
    service = "llm"
    quota = "llm"

    @property
    def streamed(self) -> bool:
        """See `Work.streamed`."""
        return self.asked.streamed

    @property
    def estimate(self) -> MicroCredits:
        """The dearest outcome in micro-credits, over all models that may serve the call."""
        return max(
            max_token_cost(model, self.asked.input_tokens, self._most_output(model) * self.asked.choices)
            for model in self.models
        )

    def _most_output(self, model: Model) -> int:
        """Tokens that a reply may have at most: some providers take no limit below one of their own."""
        dialects = (self.dialects.get(route.provider, "") for route in model.routes)
        return max([self.output_tokens, *(LOWEST_LIMITS.get(name, 0) for name in dialects)])

    def shorter(self, available: MicroCredits) -> "ChatWork | None":
        """The same call with a shorter reply that `available` micro-credits cover, or None if that is no use."""
        least = MIN_OUTPUT_TOKENS + self.asked.thinking_budget
        if not self.implicit_limit or self.output_tokens <= least:
            return None
        shortest = replace(self, output_tokens=least)
        if shortest.estimate > available:
            return None
        dearest = max(token_price(model).output for model in self.models) * self.asked.choices
        spare = (available - shortest.estimate) * money.PER_MILLION // max(1, dearest)
        return replace(self, output_tokens=min(self.output_tokens, least + spare))

    async def ready_for(self, route: ProviderRoute, fetch: FetchMedia) -> "ChatWork":
        """See `Work.ready_for`."""
        if "inline_images" not in self.providers[route.provider].quirks:
            return self
        named = media_urls(self.body)
        if not named:
            return self
        body = with_inline_media(self.body, await fetch(named))
        return replace(self, body=body, requests=TranslatedRequests(lambda: self.caller.read_request(body)))

    def narrowed(self, models: tuple[Model, ...]) -> "ChatWork":
        """See `Work.narrowed`."""
        most = max(model.max_output_tokens for model in models)
        limit = min(self.output_tokens, most) if self.implicit_limit else self.output_tokens
        return replace(self, models=models, output_tokens=limit)

    def request_for(self, model: Model, route: ProviderRoute) -> UpstreamCall:
        """What to send to `route`: the caller's body, or its translation, with the upstream's model id and usage.

        The output limit goes into the one field that this upstream obeys, because the hold relies on it.
        """
        upstream, limit = self._dialect_of(route), self._output_limit(model)
        upstream_id = self._upstream_id(model, route)
        body = self._written_for(Target(model, upstream_id, limit, self._awaits_media(route)), route, upstream)
        addressed = upstream.addressed(body, model, upstream_id, limit)
        provider, path = self.providers[route.provider], upstream.upstream_path(upstream_id, streamed=self.streamed)
        betas = self.betas if upstream is self.caller else ()
        sent = adapted(addressed, provider.quirks)
        wishes = for_openrouter(self.preferences, model) if route.provider == OPENROUTER else None
        return UpstreamCall(path, {**sent, FIELD: wishes} if wishes else sent, headers=beta_headers(provider, betas))

    def _written_for(self, target: Target, route: ProviderRoute, upstream: UpstreamDialect) -> Mapping[str, Any]:
        """The body in the upstream's dialect. Raises ApiError 400 for what that can't have."""
        if upstream is self.caller:
            return self.body
        if route.provider != SANDBOX:
            form = (upstream.name, target.key if upstream.writes_by_model else "")
            return self.requests.written(form, lambda conversation: self._write(upstream, conversation, target))
        from callmissed_ai.services.sandboxed import for_sandbox  # few calls need it

        return self.requests.written(
            SANDBOX, lambda conversation: self._write(upstream, for_sandbox(conversation), target)
        )

    def _write(self, upstream: UpstreamDialect, conversation: Conversation, target: Target) -> Mapping[str, Any]:
        try:
            return upstream.write_request(conversation, target)
        except ApiError as refused:
            raise in_own_terms(refused, self.caller.name) from None

    def _awaits_media(self, route: ProviderRoute) -> bool:
        return "inline_images" in self.providers[route.provider].quirks and bool(media_urls(self.body))

    def refusal(self, route: ProviderRoute, error: object) -> ApiError:
        """See `Work.refusal`."""
        upstream = self._dialect_of(route)
        refused = upstream.refusal(error)
        if upstream is not self.caller:
            refused = in_neutral_terms(refused, upstream.name)
        elif upstream.name != "anthropic_messages":
            return refused
        return in_own_terms(refused, self.caller.name)

    def meter(self, model: Model, route: ProviderRoute, *, sandboxed: bool = False) -> Meter:
        """See `Work.meter`."""
        charge = self.charge(model, sandboxed=sandboxed)
        bounds = output_bounds(self._output_limit(model) * self.asked.choices)
        upstream = self._dialect_of(route)
        frame = ReplyFrame(secrets.token_hex(12), int(time.time()), self.asked.model, self.body)
        if upstream is self.caller:
            return self.caller.meter(
                frame, streamed=self.streamed, wants_usage=self.asked.wants_usage, bounds=bounds, charge=charge
            )
        names = given_names(self.body)
        if self.streamed:
            writer = self.caller.stream_writer(frame, wants_usage=self.asked.wants_usage)
            return StreamMeter(Translation(upstream.stream_reader(), writer, names), bounds, charge)
        write = partial(self.caller.write_reply, frame=frame)
        return translated_reply_meter(upstream.read_reply, write, names, bounds, charge)

    def charge(self, model: Model, *, sandboxed: bool) -> Charge:
        """What charges for a reply of `model`; of a sandboxed call, which is free, tokens are not counted exactly."""
        return partial(self._charges, partial(self._estimated if sandboxed else self._counted, model), model)

    async def _charges(
        self, count: _Count, model: Model, reported: TokenUsage | None, written: Callable[[], str]
    ) -> Charges:
        """Charges by what the reply reports, and by our own count of what was `written` since, or in all.

        It is counted in a thread: loading the tokenizer and long texts take seconds that other calls need.
        """
        if reported is None:
            return token_charges(model, await asyncio.to_thread(count, written))
        if text := written():
            left = max(0, self._most_output(model) * self.asked.choices - reported.output)
            more = await asyncio.to_thread(counting.count_text, text, left)
            reported = replace(reported, output=reported.output + more, estimated=True)
        return token_charges(model, reported)

    def _counted(self, model: Model, written: Callable[[], str]) -> TokenUsage:
        """Our own count, which ends where the hold does."""
        read = self.caller.count(self.body, self._max_input(model))
        most = self._most_output(model) * self.asked.choices
        return TokenUsage(read, counting.count_text(written(), most), estimated=True)

    def _estimated(self, _model: Model, written: Callable[[], str]) -> TokenUsage:
        """What costs nothing is not counted whole."""
        return TokenUsage(self.caller.estimate(self.body), counting.estimate_texts([written()]), estimated=True)

    def _output_limit(self, model: Model) -> int:
        """The limit for `model`: one that nobody asked for must not be more than the model can write."""
        most = model.max_output_tokens if self.implicit_limit else self.output_tokens
        return min(self.output_tokens, most)

    def _max_input(self, model: Model) -> int:
        return min(self.asked.input_tokens, model.context_window or self.asked.input_tokens)

    def _dialect_of(self, route: ProviderRoute) -> UpstreamDialect:
        return open_upstream_dialect(self.dialects[route.provider])

    def _upstream_id(self, model: Model, route: ProviderRoute) -> str:
        suffix = _SUFFIXES.get(self.preferences.sorts.get(model.billed_id, ""))
        return f"{route.upstream_id}:{suffix}" if suffix and route.provider == OPENROUTER else route.upstream_id


def parse(
    dialect: DialectName, catalog: Catalog, body: Mapping[str, Any], size: int, *, beta_header: Sequence[str] = ()
) -> ChatWork:
    """The work of a `body` of `size` bytes in `dialect`. Raises ApiError 400, 404 or 503 for what no model can do."""
    caller = open_dialect(dialect)
    caller.check_size(body, size)
    body = caller.without_neutral_values(body)
    asked = caller.ask(body, size)
    named = {model_id: _chat_model(catalog, caller, model_id) for model_id in asked.model_ids}
    models = in_service(_expanded(catalog, asked, named))
    models = restricted(catalog, dialect, models, caller.further_fields(body))
    betas = parse_betas(beta_header)
    models = restricted_to_betas(catalog, models, betas)
    if asked.has_images:
        _require_vision(models, asked.prompt_field)
    models = able(models, partial(_lack_of_room, asked))
    limit = min(asked.output_limits.values(), default=None)
    most = max(model.max_output_tokens for model in models)
    return ChatWork(
        caller=caller,
        dialects=catalog.dialects,
        providers=catalog.providers,
        body=body,
        requests=TranslatedRequests(lambda: caller.read_request(body)),
        asked=asked,
        model_id=named[asked.model].id,
        models=models,
        output_tokens=min(DEFAULT_OUTPUT_TOKENS + asked.thinking_budget, most) if limit is None else limit,
        implicit_limit=limit is None,
        preferences=preferences_of(asked.provider, _sorts(named)),
        betas=betas,
    )


def count_tokens(dialect: DialectName, catalog: Catalog, body: Mapping[str, Any], size: int) -> int:
    """Our own count of the input tokens of a `body`, at most the model's window. Raises ApiError 400, 404, 503.

    It takes up to a second for a long body: run it in a thread.
    """
    caller = open_dialect(dialect)
    caller.check_size(body, size)
    asked = caller.ask({**body, caller.limit_field: 1}, size)
    (model,) = in_service([_chat_model(catalog, caller, asked.model)])
    return caller.count(body, model.context_window)


def chat_service(dialect: DialectName, beta_header: Sequence[str] = (), *, stores: bool = False) -> Service:
    """Chat in `dialect`, which is imported with the first call. `beta_header` has the values of `anthropic-beta`."""

    def closing(error: ApiError, request_id: str) -> bytes:
        return open_dialect(dialect).closing(error, request_id)

    return Service(
        PERMISSION,
        partial(parse, dialect, beta_header=beta_header),
        closing,
        continues=stores,
        stores=stores,
        header_values=sorted(beta_names(beta_header)),
    )


def _expanded(catalog: Catalog, asked: Asked, named: Mapping[str, Model]) -> list[Model]:
    """The models that were asked for, each once, with those that may serve `auto` in its place."""
    models = {model.id: model for model in named.values()}
    if AUTO not in models:
        return list(models.values())
    return [
        each
        for model in models.values()
        for each in (capable_models(catalog, model, asked) if model.id == AUTO else (model,))
    ]


def _sorts(named: Mapping[str, Model]) -> Mapping[str, Sort]:
    """By what the models that were asked for with a suffix are sorted; the first name of a model counts."""
    sorts: dict[str, Sort] = {}
    for name, model in named.items():
        if name != model.id and (suffix := routing_suffix(name)):
            sorts.setdefault(model.id, _SORTS[suffix])
    return sorts


def _chat_model(catalog: Catalog, caller: Dialect, model_id: str) -> Model:
    model = catalog.find(model_id) or catalog.find(caller.full_model_id(model_id))
    if model is None:
        raise model_not_found(model_id)
    if model.category != Category.LLM or model.realtime or model.price is None:
        raise invalid_request(f"The model '{model.id}' can't be used for chat completions.", "model")
    return model


def _require_vision(models: tuple[Model, ...], param: str) -> None:
    for model in models:
        if not model.supports_vision:
            message = f"The model '{model.id}' can't see images."
            raise invalid_request(message, param, "unsupported_image_input")


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
