"""What the modules of searches have in common: fields that a provider lacks, and spans of days."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any, cast

from callmissed.errors import invalid_request
from callmissed_ai.transports.base import UpstreamCall

DOMAINS = ("include_domains", "exclude_domains")
DAYS = ("start_published_date", "end_published_date")
REGION = ("gl", "hl", "tbs")
_FIRST_DAY = date(1970, 1, 1)


def refuse_fields(call: UpstreamCall, provider: str, names: Sequence[str]) -> None:
    """Raise ApiError 400 for the first of these fields that the search has: `provider` lacks it."""
    for name in names:
        if name in call.json:
            raise invalid_request(f"'{name}' can't be used with the provider '{provider}'.", name)


def check_type(call: UpstreamCall, provider: str, types: Sequence[str]) -> None:
    """Raise ApiError 400 for a `search_type` that is none of `provider`'s."""
    if call.json.get("search_type", types[0]) not in types:
        shown = f"{', '.join(types[:-1])} or {types[-1]}"
        raise invalid_request(f"'search_type' of '{provider}' is {shown}.", "search_type")


def days_of(asked: Mapping[str, Any]) -> tuple[date, date] | None:
    """The first and the last day of what a search wants, for a provider that needs both; None where it wants all."""
    start, end = (asked.get(name) for name in DAYS)
    if not (start or end):
        return None
    first = date.fromisoformat(start) if start else _FIRST_DAY
    return first, date.fromisoformat(end) if end else max(first, datetime.now(UTC).date())


def rows_of(value: object) -> list[Mapping[str, Any]]:
    """The objects of a list in a reply; none where `value` is no list."""
    rows = cast("list[object]", value) if isinstance(value, list) else []
    return [cast("Mapping[str, Any]", row) for row in rows if isinstance(row, dict)]


def texts_of(value: object) -> list[str]:
    """The texts of a list in a reply; none where `value` is no list."""
    found = cast("list[object]", value) if isinstance(value, list) else []
    return [text for text in found if isinstance(text, str)]


def object_of(value: object) -> Mapping[str, Any]:
    """An object in a reply; empty where `value` is none."""
    return cast("Mapping[str, Any]", value) if isinstance(value, dict) else {}
