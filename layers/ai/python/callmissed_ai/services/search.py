"""Web search as a billed service: a flat price for each successful search, by whichever provider answers."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from callmissed import money
from callmissed.catalog.model import Catalog, Category, Model, ProviderRoute
from callmissed.clock import system_clock
from callmissed.errors import invalid_request
from callmissed.platform.routes import Permission
from callmissed_ai.charges import Charges, unit_charges
from callmissed_ai.dialects.json_reply import JsonReplyMeter, UnusableReply
from callmissed_ai.dialects.written_json import written_json
from callmissed_ai.services.models import in_service
from callmissed_ai.services.service import Service
from callmissed_ai.services.unit_work import UnitWork
from callmissed_ai.transports.base import UpstreamCall
from callmissed_ai.work import SettledCall

PATH = "/search"
_ORDER = ("google", "exa", "serper", "firecrawl")
_DATE = r"^\d{4}-\d{2}-\d{2}$"
_Domains = Annotated[list[Annotated[str, Field(min_length=1, max_length=253)]], Field(max_length=50)]


class SearchRequest(BaseModel):
    """A web search. Fields beside `query`, `mode`, `provider` and `num_results` belong to one mode each."""

    model_config = ConfigDict(strict=True, extra="forbid")

    query: str = Field(min_length=1, max_length=2_000)
    mode: Literal["auto", "shorter", "detailed"] = "auto"
    provider: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    num_results: int = Field(default=10, ge=1, le=50)
    include_domains: _Domains | None = None
    exclude_domains: _Domains | None = None
    start_published_date: Annotated[str, Field(pattern=_DATE)] | None = None
    end_published_date: Annotated[str, Field(pattern=_DATE)] | None = None
    include_content: bool | None = None
    search_type: Annotated[str, Field(max_length=32)] | None = None
    gl: Annotated[str, Field(max_length=8)] | None = None
    hl: Annotated[str, Field(max_length=16)] | None = None
    tbs: Annotated[str, Field(max_length=64)] | None = None


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
        if not isinstance(reply.get("results"), list):
            raise UnusableReply("no results")
        found = {name: reply.get(name) for name in ("results", "answer", "images")}
        return {"query": self.request.query, "mode": self.request.mode, "provider": model.id, **found}


def parse(catalog: Catalog, body: Mapping[str, Any], _size: int) -> SearchWork:
    """The work of a search's `body`. Raises ApiError 400 or 503."""
    request = _request(body)
    models = _models(catalog, request.provider)
    return SearchWork(models=models, model_id=models[0].id, providers=catalog.providers, request=request)


def completed(body: bytes, call: SettledCall) -> bytes:
    """The answer with its price, the balance after it, its id and its duration."""
    facts = {
        "credits_used": money.credits(call.cost),
        "balance": None if call.balance is None else money.credits(call.balance),
        "request_id": f"search-{call.call_id}",
        "latency_ms": (system_clock() - call.started) // 1_000,
    }
    return written_json({**json.loads(body), **facts})


def _request(body: Mapping[str, Any]) -> SearchRequest:
    try:
        return SearchRequest.model_validate(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        path = ".".join(str(part) for part in first["loc"])[:120]
        raise invalid_request(f"Invalid '{path}': {first['msg']}.", param=path) from None


def _models(catalog: Catalog, provider: str | None) -> tuple[Model, ...]:
    """The provider that was asked for alone, else all in the order in which they are tried."""
    listed = {model.id: model for model in catalog.listed(Category.SEARCH)}
    if provider is None:
        return in_service([listed[name] for name in _ORDER if name in listed])
    if provider not in listed:
        raise invalid_request(f"There is no search provider '{provider}'.", "provider")
    return in_service([listed[provider]])


SERVICE = Service(Permission.SEARCH, parse, complete=completed)
