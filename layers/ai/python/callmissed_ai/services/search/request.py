"""A search request: its validation, and the providers that its mode has."""

import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from callmissed.errors import ApiError, invalid_request
from callmissed_ai.services.unit_work import parsed_request
from callmissed_ai.tokens.blanks import is_blank

ORDER = ("google", "exa", "serper", "firecrawl")
"""Providers in the order in which they are asked."""

MODES: Mapping[str, Sequence[str]] = {
    "auto": ORDER,
    "shorter": ("google", "serper", "firecrawl"),
    "detailed": ("google", "exa", "firecrawl"),
}
_ONLY_IN: Mapping[str, Sequence[str]] = {
    "detailed": (
        "include_domains",
        "exclude_domains",
        "start_published_date",
        "end_published_date",
        "include_content",
    ),
    "shorter": ("gl", "hl", "tbs"),
}
"""Fields that belong to one mode, unless a provider is asked for."""

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_DOMAIN = re.compile(rf"(?=.{{1,253}}$)({_LABEL}\.)+(?!\d+$){_LABEL}", re.ASCII)


def _domain(text: str) -> str:
    """The host as DNS has it."""
    try:
        host = text.encode("idna").decode().lower()
    except UnicodeError:
        host = ""
    if not _DOMAIN.fullmatch(host):
        raise ValueError("must be a domain such as example.com")
    return host


def _day(text: str) -> str:
    if not _DATE.fullmatch(text):
        raise ValueError("must be a date such as 2026-05-31")
    date.fromisoformat(text)
    return text


def _words(text: str) -> str:
    if is_blank(text):
        raise ValueError("must not be blank")
    return text


_Domains = Annotated[
    list[Annotated[str, Field(min_length=1, max_length=253), AfterValidator(_domain)]],
    Field(min_length=1, max_length=50),
]
_Day = Annotated[str, Field(max_length=10), AfterValidator(_day)]


class SearchRequest(BaseModel):
    """A web search. Fields beside `query`, `mode`, `provider` and `num_results` belong to one mode each."""

    model_config = ConfigDict(strict=True, extra="forbid")

    query: Annotated[str, AfterValidator(_words)] = Field(min_length=1, max_length=2_000)
    mode: Literal["auto", "shorter", "detailed"] = "auto"
    provider: (
        Annotated[
            str,
            Field(min_length=1, max_length=64, description="Asked alone, and with any field that it has."),
        ]
        | None
    ) = None
    num_results: int = Field(default=10, ge=1, le=50)
    include_domains: _Domains | None = Field(default=None, description="Mode `detailed`.")
    exclude_domains: _Domains | None = Field(default=None, description="Mode `detailed`.")
    start_published_date: _Day | None = Field(default=None, description="`YYYY-MM-DD`; mode `detailed`.")
    end_published_date: _Day | None = Field(default=None, description="`YYYY-MM-DD`; mode `detailed`.")
    include_content: bool | None = Field(default=None, description="The text of the pages; mode `detailed`.")
    search_type: (
        Annotated[
            str,
            Field(
                min_length=1,
                max_length=32,
                description="Of `exa`: auto, fast, instant, deep-lite, deep. Of `serper`: search, news, images.",
            ),
        ]
        | None
    ) = None
    gl: Annotated[str, Field(min_length=1, max_length=8)] | None = Field(default=None, description="Mode `shorter`.")
    hl: Annotated[str, Field(min_length=1, max_length=16)] | None = Field(default=None, description="Mode `shorter`.")
    tbs: Annotated[str, Field(min_length=1, max_length=64)] | None = Field(
        default=None, description="Such as `qdr:d`; mode `shorter`."
    )


def parse_request(body: Mapping[str, Any]) -> SearchRequest:
    """The request in `body`. Raises ApiError 400 naming the first field that is wrong."""
    request = parsed_request(SearchRequest, body)
    _check_together(request)
    return request


def _check_together(request: SearchRequest) -> None:
    start, end = request.start_published_date, request.end_published_date
    if start and end and start > end:
        raise invalid_request("'start_published_date' is after 'end_published_date'.", "start_published_date")
    if request.provider is None and (refusal := _of_another_mode(request)):
        raise refusal


def _of_another_mode(request: SearchRequest) -> ApiError | None:
    for mode, names in _ONLY_IN.items():
        for name in names if mode != request.mode else ():
            if getattr(request, name) is not None:
                return invalid_request(f"'{name}' is for the mode '{mode}', or for a provider that has it.", name)
    return None
