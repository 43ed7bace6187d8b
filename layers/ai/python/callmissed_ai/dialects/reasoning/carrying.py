"""Packing what only one dialect has into one text, which clients of another dialect send back unread."""

import base64
import json
from collections.abc import Mapping
from typing import Any, cast

from callmissed_ai.dialects.conversation import Extras
from callmissed_ai.dialects.strict_json import read_strictly

_MARK = "callmissed-1:"
_CARRIED: Mapping[str, frozenset[str]] = {
    "openai_chat": frozenset({"extra_content", "reasoning", "reasoning_content", "reasoning_details"}),
    "openai_responses": frozenset({"id", "part", "type"}),
}
"""What is carried, by dialect; nothing else of a client's data gets into a request for another provider."""


def packed(extras: Extras, own: object) -> str:
    """`extras` and the dialect's `own` value, any JSON, as text."""
    carried = json.dumps([extras, own], separators=(",", ":")).encode()
    return _MARK + base64.b64encode(carried).decode()


def is_packed(text: str) -> bool:
    """Whether `text` was made by `packed`."""
    return text.startswith(_MARK)


def unpacked(text: str) -> tuple[Extras, object]:
    """The extras in `text`, and the value beside them; nothing where a client changed it."""
    try:
        value: Any = read_strictly(base64.b64decode(text.removeprefix(_MARK), validate=True))
        extras, own = value
    except (ValueError, TypeError):
        return {}, None
    return known_extras(cast("dict[Any, Any]", extras) if isinstance(extras, dict) else {}), own


def known_extras(extras: Mapping[Any, Any]) -> Extras:
    """Those of `extras` that are carried."""
    found: dict[Any, Any] = {}
    for dialect, names in _CARRIED.items():
        fields: Any = extras.get(dialect)
        if isinstance(fields, dict):
            kept = {name: value for name, value in cast("dict[str, Any]", fields).items() if name in names}
            if kept:
                found[dialect] = kept
    return found
