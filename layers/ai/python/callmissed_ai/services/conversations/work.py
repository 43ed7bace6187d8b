"""A priced chat call in every dialect: what it can cost at most, and what its routes get and send."""

from dataclasses import dataclass, replace

from callmissed import money
from callmissed.catalog.model import Model, ProviderRoute
from callmissed.errors import ApiError
from callmissed.money import MicroCredits
from callmissed.platform.routes import Permission
from callmissed_ai.charges import max_token_cost, token_price
from callmissed_ai.dialects.dialect import Charge
from callmissed_ai.dialects.output_bounds import LOWEST_LIMITS, MAX_LOWEST_LIMIT
from callmissed_ai.preferences.wishes import Preferences
from callmissed_ai.services.asked_models import AskedModels
from callmissed_ai.services.conversations.models import MIN_OUTPUT_TOKENS
from callmissed_ai.services.conversations.replies import ReplyCharging, reply_meter
from callmissed_ai.services.conversations.requests import CallerRequest
from callmissed_ai.transports.base import UpstreamCall
from callmissed_ai.transports.media import FetchMedia
from callmissed_ai.work import JSON, Meter

PERMISSION = Permission.LLM


@dataclass(frozen=True, slots=True)
class ChatWork(AskedModels):
    """A priced chat call; implements `Work`. `models` are the one asked for and its fallbacks.

    Token counts are upper bounds. `implicit_limit` says that we set the output limit because the caller set none.
    """

    request: CallerRequest
    model_id: str
    models: tuple[Model, ...]
    output_tokens: int
    implicit_limit: bool

    permission = PERMISSION
    service = "llm"
    quota = "llm"
    media_type = JSON

    @property
    def streamed(self) -> bool:
        """See `Work.streamed`."""
        return self.request.asked.streamed

    @property
    def preferences(self) -> Preferences:
        """See `Work.preferences`."""
        return self.request.preferences

    @property
    def estimate(self) -> MicroCredits:
        """The dearest outcome in micro-credits, over all models that may serve the call."""
        read = self.request.asked.input_tokens
        return max(max_token_cost(model, read, self._most_output(model)) for model in self.models)

    def shorter(self, available: MicroCredits) -> "ChatWork | None":
        """The same call with a shorter reply that `available` micro-credits cover, or None if that is no use."""
        least = MIN_OUTPUT_TOKENS + self.request.asked.thinking_budget
        if not self.implicit_limit or self.output_tokens <= least:
            return None
        shortest = replace(self, output_tokens=least)
        if shortest.estimate > available:
            return None
        dearest = max(token_price(model).output for model in self.models) * self.request.asked.choices
        spare = (available - shortest.estimate) * money.PER_MILLION // max(1, dearest)
        return replace(self, output_tokens=min(self.output_tokens, least + spare))

    async def ready_for(self, route: ProviderRoute, fetch: FetchMedia) -> "ChatWork":
        """See `Work.ready_for`."""
        request = await self.request.ready_for(route, fetch)
        return self if request is self.request else replace(self, request=request)

    def narrowed(self, models: tuple[Model, ...]) -> "ChatWork":
        """See `Work.narrowed`."""
        most = max(model.max_output_tokens for model in models)
        limit = min(self.output_tokens, most) if self.implicit_limit else self.output_tokens
        return replace(self, models=models, output_tokens=limit)

    def request_for(self, model: Model, route: ProviderRoute) -> UpstreamCall:
        """See `Work.request_for`."""
        return self.request.upstream_call(model, route, self._output_limit(model))

    def check_route(self, model: Model, route: ProviderRoute) -> None:
        """See `Work.check_route`."""
        if self.request.may_be_refused(route):
            self.request_for(model, route)

    def refusal(self, route: ProviderRoute, error: object) -> ApiError:
        """See `Work.refusal`."""
        return self.request.refusal(route, error)

    def in_callers_terms(self, route: ProviderRoute, refused: ApiError) -> ApiError:
        """See `Work.in_callers_terms`."""
        return self.request.in_callers_terms(route, refused)

    def meter(self, model: Model, route: ProviderRoute, *, sandboxed: bool = False) -> Meter:
        """See `Work.meter`."""
        most = self._output_limit(model) * self.request.asked.choices
        charge = self.charge(model, sandboxed=sandboxed)
        return reply_meter(self.request, self.request.dialect_of(route), most, charge)

    def charge(self, model: Model, *, sandboxed: bool) -> Charge:
        """What charges for a reply of `model`."""
        return ReplyCharging(self.request, model, self._most_output(model), sandboxed).charges

    def _output_limit(self, model: Model) -> int:
        """The limit for `model`: one that nobody asked for must not be more than the model can write."""
        most = model.max_output_tokens if self.implicit_limit else self.output_tokens
        return min(self.output_tokens, most)

    def _most_output(self, model: Model) -> int:
        """Tokens that all choices may have at most: some providers take no limit below one of their own."""
        most = self.output_tokens
        if most < MAX_LOWEST_LIMIT:
            dialects = (self.request.dialects.get(route.provider, "") for route in model.routes)
            most = max([most, *(LOWEST_LIMITS.get(name, 0) for name in dialects)])
        return most * self.request.asked.choices
