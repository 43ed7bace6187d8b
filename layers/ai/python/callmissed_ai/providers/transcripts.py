"""What the transcription modules of native providers share: the refusal of fields, and replies as the service has them.

A call has the fields that the caller set, `file` with the bytes, and `audio` with what was found in them. A reply has
`text`, `language`, `duration`, `segments` and `words`.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from callmissed.errors import invalid_request
from callmissed_ai.transports.base import UpstreamCall


def refuse(call: UpstreamCall, provider: str, fields: Iterable[str]) -> None:
    """Raise ApiError 400 for the first of the `fields` that the call has."""
    for name in fields:
        if call.json.get(name):
            raise invalid_request(f"'{name}' can't be used with the provider '{provider}'.", name, "unsupported_field")


def refuse_formats(call: UpstreamCall, provider: str, formats: Iterable[str]) -> None:
    """Raise ApiError 400 for formats of which the provider's replies lack something."""
    wanted = call.json["response_format"]
    if wanted in formats:
        raise invalid_request(
            f"The format '{wanted}' can't be had from the provider '{provider}'.",
            "response_format",
            "unsupported_field",
        )


def wants_words(call: UpstreamCall) -> bool:
    """Whether times of words were asked for."""
    return "word" in (call.json.get("timestamp_granularities") or ())


def objects(value: object) -> Sequence[Mapping[str, Any]]:
    """The objects of a list; none where it is no list."""
    found = cast("list[object]", value) if isinstance(value, list) else []
    return [cast("Mapping[str, Any]", each) for each in found if isinstance(each, dict)]


def member(value: object, name: str) -> Mapping[str, Any]:
    """The object of that name in an object; an empty one where there is none."""
    found = cast("Mapping[str, Any]", value).get(name) if isinstance(value, Mapping) else None
    return cast("Mapping[str, Any]", found) if isinstance(found, dict) else {}
