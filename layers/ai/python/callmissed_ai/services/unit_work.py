"""What the calls have in common that are priced by units and not by tokens: speech, images, search."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self, TypeVar

from pydantic import BaseModel, ValidationError

from callmissed.catalog.model import Catalog, Category, Model, ProviderRoute, ProviderSettings
from callmissed.errors import ApiError, invalid_request
from callmissed.money import MicroCredits
from callmissed_ai.charges import max_unit_cost
from callmissed_ai.dialects.openai_chat.errors import refusal_of
from callmissed_ai.preferences.wishes import NO_PREFERENCES
from callmissed_ai.services.asked_models import AskedModels
from callmissed_ai.services.models import in_service, model_not_found
from callmissed_ai.transports.base import UpstreamCall
from callmissed_ai.transports.media import FetchMedia
from callmissed_ai.transports.native import check_call
from callmissed_ai.work import JSON, Meter

Request = TypeVar("Request", bound=BaseModel)


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitWork(AskedModels, ABC):
    """A call priced by units; implements `Work`. A service adds its request, its quantity, its calls and its meter."""

    models: tuple[Model, ...]
    model_id: str
    providers: Mapping[str, ProviderSettings]

    prompt_field = "input"
    """The field that a provider's filter refuses."""

    streamed = False
    media_type = JSON
    preferences = NO_PREFERENCES

    @property
    @abstractmethod
    def max_quantity(self) -> int:
        """How much of what the price counts (`callmissed_ai.charges.COUNTED`) is used at most."""

    @abstractmethod
    def call_for(self, model: Model, route: ProviderRoute) -> UpstreamCall:
        """What `route` gets, in the service's own format."""

    @abstractmethod
    def meter(self, model: Model, route: ProviderRoute, *, sandboxed: bool = False) -> Meter:
        """See `Work.meter`."""

    @property
    def estimate(self) -> MicroCredits:
        """The dearest outcome in micro-credits, over all models that may serve the call."""
        return max(max_unit_cost(model, self.max_quantity) for model in self.models)

    def shorter(self, available: MicroCredits) -> None:
        """None: it is done whole or not at all."""
        return

    def narrowed(self, models: tuple[Model, ...]) -> Self:
        """See `Work.narrowed`."""
        return replace(self, models=models)

    async def ready_for(self, route: ProviderRoute, fetch: FetchMedia) -> Self:
        """See `Work.ready_for`: nothing is fetched."""
        return self

    def request_for(self, model: Model, route: ProviderRoute) -> UpstreamCall:
        """See `Work.request_for`."""
        call = self.call_for(model, route)
        check_call(self.providers[route.provider], call)
        return call

    def check_route(self, model: Model, route: ProviderRoute) -> None:
        """See `Work.check_route`."""
        self.request_for(model, route)

    def refusal(self, route: ProviderRoute, error: object) -> ApiError:
        """See `Work.refusal`."""
        return refusal_of(error, self.prompt_field)

    def in_callers_terms(self, route: ProviderRoute, refused: ApiError) -> ApiError:
        """`refused` itself: every service has one format."""
        return refused


def parsed_request(kind: type[Request], body: Mapping[str, Any]) -> Request:
    """`body` as a request of that kind; null is no value. Raises ApiError 400 that names the field at fault."""
    try:
        return kind.model_validate({name: value for name, value in body.items() if value is not None})
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        path = (
            ".".join(str(part) for part in first["loc"] if not str(part).startswith("<"))[:120]
            .encode(errors="replace")
            .decode()
        )
        message = first["msg"].removeprefix("Value error, ").rstrip(".")
        raise invalid_request(f"Invalid '{path}': {message}.", param=path) from None


def model_for(catalog: Catalog, model_id: str, category: Category, use: str) -> Model:
    """The model of that id, which must be of `category`; `use` says for what, as in "for speech".

    Raises ApiError 404 for one that is not there, 400 for one of another kind, 503 for one under maintenance.
    """
    model = catalog.find(model_id)
    if model is None:
        raise model_not_found(model_id)
    if model.category is not category or model.unit_price is None:
        raise invalid_request(f"The model '{model.id}' can't be used {use}.", "model")
    (model,) = in_service([model])
    return model
