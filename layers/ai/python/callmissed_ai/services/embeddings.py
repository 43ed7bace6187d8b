"""Embeddings as a billed service: credits only, no monthly quota, and no fallback, because models' vectors differ."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from callmissed.catalog.model import SANDBOX, Catalog, Category, Model, ProviderRoute, ProviderSettings
from callmissed.errors import ApiError, invalid_request
from callmissed.ledger.wallet import NO_QUOTA
from callmissed.money import MicroCredits
from callmissed.platform.routes import Permission
from callmissed_ai.charges import Charges, input_charges, max_input_cost
from callmissed_ai.dialects.json_reply import JsonReplyMeter
from callmissed_ai.dialects.openai_chat.errors import refusal_of
from callmissed_ai.dialects.openai_embeddings.reply import converted_reply, read_input_tokens
from callmissed_ai.dialects.openai_embeddings.request import (
    PATH,
    EmbeddingsRequest,
    further_embeddings_fields,
    parse_embeddings,
    without_nulls,
)
from callmissed_ai.preferences.wishes import NO_PREFERENCES
from callmissed_ai.services.asked_models import AskedModels
from callmissed_ai.services.fields import restricted
from callmissed_ai.services.models import in_service, model_not_found, refusal_of_all_routes
from callmissed_ai.services.service import Service
from callmissed_ai.tokens import counting
from callmissed_ai.transports.base import UpstreamCall
from callmissed_ai.transports.media import FetchMedia
from callmissed_ai.transports.native import check_call
from callmissed_ai.work import JSON, Meter

PERMISSION = Permission.LLM

_BASE64_PROVIDERS = frozenset({"openai", "azure"})
"""Providers that are known to send base64 when asked; others are asked for numbers, which all of them send."""


@dataclass(frozen=True, slots=True)
class EmbeddingsWork(AskedModels):
    """A priced embeddings call; implements `Work`."""

    body: Mapping[str, Any]
    request: EmbeddingsRequest
    model: Model
    providers: Mapping[str, ProviderSettings]

    permission = PERMISSION
    service = "embedding"
    quota = NO_QUOTA
    media_type = JSON
    streamed = False
    preferences = NO_PREFERENCES

    @property
    def models(self) -> tuple[Model, ...]:
        """The one model that may serve the call."""
        return (self.model,)

    @property
    def model_id(self) -> str:
        """See `Work.model_id`."""
        return self.model.id

    @property
    def estimate(self) -> MicroCredits:
        """The dearest outcome in micro-credits."""
        return max_input_cost(self.model, self.request.max_tokens(self.model.context_window))

    def shorter(self, available: MicroCredits) -> None:
        """None: every input is embedded whole."""

    def narrowed(self, models: tuple[Model, ...]) -> "EmbeddingsWork":
        """See `Work.narrowed`."""
        (model,) = models
        return replace(self, model=model)

    async def ready_for(self, route: ProviderRoute, fetch: FetchMedia) -> "EmbeddingsWork":
        """See `Work.ready_for`: there are only texts."""
        return self

    def request_for(self, model: Model, route: ProviderRoute) -> UpstreamCall:
        """The caller's body with the upstream's model id, and the encoding that the upstream understands.

        The sandbox has no models, so the body says how long this one's vectors are.
        """
        provider = self.providers.get(route.provider)
        base64 = self.request.encoding_format == "base64" and route.provider in _BASE64_PROVIDERS
        body = {**self.body, "model": route.upstream_id, "encoding_format": "base64" if base64 else "float"}
        if route.provider == SANDBOX and model.dimensions:
            body["dimensions"] = self.request.dimensions or model.dimensions
        quirks = provider.quirks if provider else ()
        if "no_user_fields" in quirks:
            body.pop("user", None)
        if "no_token_inputs" in quirks and not isinstance(self.request.inputs[0], str):
            raise invalid_request(f"The model '{model.id}' takes texts, and no lists of tokens.", "input")
        call = UpstreamCall(PATH, body)
        if provider:
            check_call(provider, call)
        return call

    def check_route(self, model: Model, route: ProviderRoute) -> None:
        """See `Work.check_route`."""
        self.request_for(model, route)

    def refusal(self, route: ProviderRoute, error: object) -> ApiError:
        """See `Work.refusal`."""
        return refusal_of(error, "input")

    def in_callers_terms(self, route: ProviderRoute, refused: ApiError) -> ApiError:
        """`refused` itself: there is one dialect."""
        return refused

    def meter(self, model: Model, route: ProviderRoute, *, sandboxed: bool = False) -> Meter:
        """See `Work.meter`. Inputs are short enough to be counted for test keys too."""
        wanted = partial(
            converted_reply,
            inputs=len(self.request.inputs),
            encoding=self.request.encoding_format,
            dimensions=self.request.dimensions,
        )
        return JsonReplyMeter(wanted, self._charges)

    async def _charges(self, reply: Mapping[str, Any]) -> Charges:
        """Charges by the tokens that the reply reports, else by our own count, made in a thread."""
        reported = read_input_tokens(reply.get("usage"))
        tokens = await asyncio.to_thread(self._counted) if reported is None else reported
        return input_charges(self.model, tokens, estimated=reported is None)

    def _counted(self) -> int:
        """Our own count, which ends where the hold does: at the model's window for each input."""
        window = self.model.context_window
        counts = (
            counting.count_text(each, window) if isinstance(each, str) else min(len(each), window or len(each))
            for each in self.request.inputs
        )
        return sum(counts)


def parse(catalog: Catalog, body: Mapping[str, Any], _size: int) -> EmbeddingsWork:
    """The work of an embeddings `body`. Raises ApiError 400, 404 or 503 for what the model can't do."""
    body = without_nulls(body)
    request = parse_embeddings(body)
    model = catalog.find(request.model)
    if model is None:
        raise model_not_found(request.model)
    if model.category is not Category.EMBEDDING or model.price is None:
        raise invalid_request(f"The model '{model.id}' can't be used for embeddings.", "model")
    in_service([model])
    _check_dimensions(model, request.dimensions)
    (model,) = restricted(catalog, "openai_chat", (model,), further_embeddings_fields(body))
    work = EmbeddingsWork(body, request, model, catalog.providers)
    if refusal := refusal_of_all_routes(work.check_route, model):
        raise refusal
    return work


def _check_dimensions(model: Model, wanted: int | None) -> None:
    """Raise ApiError 400 for vectors of a size that the model doesn't make."""
    if wanted is None or not model.dimensions:
        return
    if model.vector_sizes and wanted not in model.vector_sizes:
        sizes = " or ".join(map(str, model.vector_sizes))
        raise invalid_request(f"The model '{model.id}' has {sizes} dimensions.", "dimensions")
    if wanted > model.dimensions:
        raise invalid_request(f"The model '{model.id}' has {model.dimensions} dimensions at most.", "dimensions")


SERVICE = Service(PERMISSION, parse)
