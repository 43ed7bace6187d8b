"""A flat price for each successful search, by whichever provider answers."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Self

from callmissed import money
from callmissed.catalog.model import Catalog, Category, Model, ProviderRoute
from callmissed.clock import system_clock
from callmissed.errors import ApiError, invalid_request
from callmissed.platform.routes import Permission
from callmissed.tenants.tenants import TenantSettings
from callmissed_ai.charges import Charges, unit_charges
from callmissed_ai.dialects.json_reply import JsonReplyMeter
from callmissed_ai.dialects.written_json import written_json
from callmissed_ai.services.models import able, in_service, refusal_of_all_routes
from callmissed_ai.services.search.request import MODES, SearchRequest, parse_request
from callmissed_ai.services.search.results import found
from callmissed_ai.services.service import Service
from callmissed_ai.services.unit_work import UnitWork
from callmissed_ai.transports.base import UpstreamCall
from callmissed_ai.work import PayerAccess, SettledCall

PATH = "/search"


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchWork(UnitWork):
    """A priced search; implements `Work`."""

    request: SearchRequest

    permission = Permission.SEARCH
    service = "search"
    quota = "search"
    prompt_field = "query"

    @property
    def max_quantity(self) -> int:
        """One search."""
        return 1

    def permitted(self, access: PayerAccess) -> Self:
        """The same search by those providers that the payer may use. Raises ApiError 403 for none of them.

        A plan's models don't count here: a search is a search on every plan.
        """
        left = tuple(model for model in self.models if {"*", model.id} & access.search_providers)
        if not left:
            message = f"This API key may not use the search provider '{self.models[0].id}'."
            raise ApiError(403, "search_provider_not_allowed", message, param="provider")
        return self if left == self.models else self.narrowed(left)

    @property
    def follows_settings(self) -> bool:
        """Whether the tenant's own provider may come before others: the caller asked for none, and several can."""
        return self.request.provider is None and len(self.models) > 1

    def following(self, settings: TenantSettings) -> Self:
        """The same search, with the tenant's own provider asked first where it may be asked at all."""
        own = settings.default_search_provider
        first = [model for model in self.models if model.id == own]
        if not first:
            return self
        return replace(self, models=(*first, *(model for model in self.models if model.id != own)))

    def call_for(self, model: Model, route: ProviderRoute) -> UpstreamCall:
        """The search with the fields that the caller set, in our own format."""
        return UpstreamCall(PATH, {**self.request.model_dump(exclude_none=True), "model": route.upstream_id})

    def meter(self, model: Model, route: ProviderRoute, *, sandboxed: bool = False) -> JsonReplyMeter:
        """See `Work.meter`."""

        async def charges(_reply: Mapping[str, Any]) -> Charges:
            return unit_charges(model, 1)

        def passed(_body: bytes, reply: dict[str, Any]) -> bytes:
            return written_json(self._answer(model, reply))

        return JsonReplyMeter(passed, charges)

    def _answer(self, model: Model, reply: Mapping[str, Any]) -> Mapping[str, Any]:
        asked = {"query": self.request.query, "mode": self.request.mode, "provider": model.id}
        return {**asked, **found(reply, self.request.num_results)}


def parse(catalog: Catalog, body: Mapping[str, Any], _size: int) -> SearchWork:
    """The work of a search's `body`. Raises ApiError 400 or 503."""
    request = parse_request(body)
    models = in_service(_models(catalog, request))
    work = SearchWork(models=models, model_id=models[0].id, providers=catalog.providers, request=request)
    able_models = able(models, partial(refusal_of_all_routes, work.check_route))
    return replace(work, models=able_models, model_id=able_models[0].id)


def completed(body: bytes, call: SettledCall) -> bytes:
    """The answer with its price, the balance after it, its id and its duration."""
    facts = {
        "credits_used": money.credits(call.cost),
        "balance": None if call.balance is None else money.credits(call.balance),
        "request_id": f"search-{call.call_id}",
        "latency_ms": (system_clock() - call.started) // 1_000,
    }
    return written_json({**json.loads(body), **facts})


def _models(catalog: Catalog, request: SearchRequest) -> list[Model]:
    """The provider that was asked for alone, else those of the mode in the order in which they are tried."""
    listed = {model.id: model for model in catalog.listed(Category.SEARCH)}
    if request.provider is None:
        return [listed[name] for name in MODES[request.mode] if name in listed]
    if request.provider not in listed:
        shown = request.provider.encode(errors="replace").decode()
        raise invalid_request(f"There is no search provider '{shown}'.", "provider")
    return [listed[request.provider]]


SERVICE = Service(Permission.SEARCH, parse, complete=completed)
