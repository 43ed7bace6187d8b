"""JSON of WhatsApp's callbacks, read without trust in its shapes.

Meta adds shapes at any time, so nothing is required here: what is missing, or has another type, reads as absent.
"""

import json
from math import isfinite
from typing import Any, cast

_MAX_DIGITS = 4_000
"""Python refuses to read integers of more digits than about these."""

MESSAGES, ECHOES = "messages", "smb_message_echoes"
"""Fields of changes that are processed: messages of end users with statuses, and what colleagues write in the app."""

PROCESSED_FIELDS = frozenset({MESSAGES, ECHOES})

JsonObject = dict[str, Any]


def parse(text: str | bytes) -> Any:
    """The JSON value in `text`. A number that JSON or Python can't hold stays as its text.

    Raises ValueError, and RecursionError for a value that is nested too deeply.
    """
    if isinstance(text, bytes):
        text = text.decode(json.detect_encoding(text), "surrogatepass")
    return _DECODER.decode(text)


def without_surrogates(value: Any) -> Any:
    """`value` with a question mark for each half of a surrogate pair, which UTF-8 can't hold. Raises RecursionError."""
    return parse(json.dumps(value, ensure_ascii=False).encode(errors="replace"))


def as_object(value: Any) -> JsonObject:
    """`value`, or no fields if it is not an object."""
    return cast("JsonObject", value) if isinstance(value, dict) else {}


def as_list(value: Any) -> list[Any]:
    """`value`, or no items if it is not a list."""
    return cast("list[Any]", value) if isinstance(value, list) else []


def as_text(value: Any) -> str | None:
    """`value` if it is a text or an integer, and not empty."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) and value else None


def first_text(*values: Any) -> str | None:
    """The first of `values` that is a text."""
    for value in values:
        if text := as_text(value):
            return text
    return None


def status_identity(status: JsonObject) -> list[str] | None:
    """Message, status and recipients, by which a status differs from all others; None where it has no such parts.

    A recipient may have no phone number, and each participant of a group has a status of its own.
    """
    id, name = as_text(status.get("id")), as_text(status.get("status"))
    recipient = first_text(status.get("recipient_id"), status.get("recipient_user_id"))
    participant = first_text(status.get("recipient_participant_id"), status.get("recipient_participant_user_id"))
    if not id or not name:
        return None
    return [id, name, recipient or "", *([participant] if participant else [])]


def _integer(text: str) -> int | str:
    return int(text) if len(text) <= _MAX_DIGITS else text


def _float(text: str) -> float | str:
    number = float(text)
    return number if isfinite(number) else text


_DECODER = json.JSONDecoder(parse_int=_integer, parse_float=_float, parse_constant=str)
