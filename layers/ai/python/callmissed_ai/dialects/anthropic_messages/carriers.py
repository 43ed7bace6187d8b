"""Fields of other dialects, carried through a client of this one.

A client sends the blocks of a reply back as it got them, but knows no field for what another dialect attaches to a
thought or a tool call, such as the signature that Gemini demands back. A thought carries them in its own signature, and
a tool call in a `redacted_thinking` block before it: clients send both back unread.
"""

import base64
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, cast

from callmissed_ai.dialects.conversation import Extras, Part, RedactedThinking, Thinking, ToolCall
from callmissed_ai.dialects.strict_json import read_strictly

_MARK = "callmissed-1:"
_CARRIED: Mapping[str, frozenset[str]] = {
    "openai_chat": frozenset({"extra_content", "reasoning", "reasoning_content", "reasoning_details"})
}
"""What is carried, by dialect; nothing else of a client's data gets into a request for another provider."""


def signature_of(thought: Thinking) -> str:
    """The signature of a thinking block: the provider's own, or what carries it and the extras."""
    carried = _known(thought.extras)
    return _packed(carried, thought.signature or "") if carried else thought.signature or ""


def data_of(thought: RedactedThinking) -> str:
    """The data of a `redacted_thinking` block: the provider's own, or what carries it and the extras."""
    carried = _known(thought.extras)
    return _packed(carried, thought.data) if carried else thought.data


def data_before(call: ToolCall) -> str | None:
    """The data of the block before a tool call that carries its extras; None where it has none."""
    carried = _known(call.extras)
    return _packed(carried, None) if carried else None


def unpacked(parts: Iterable[Part]) -> Iterator[Part]:
    """`parts`, with what they carry in its place again."""
    for_call: Extras = {}
    for part in parts:
        match part:
            case Thinking() if part.signature and part.signature.startswith(_MARK):
                extras, signature = _read(part.signature)
                yield replace(part, signature=signature or None, extras=extras)
            case RedactedThinking() if part.data.startswith(_MARK):
                extras, data = _read(part.data)
                if data is None:
                    for_call = extras
                else:
                    yield RedactedThinking(data, extras)
            case ToolCall():
                yield replace(part, extras={**part.extras, **for_call}) if for_call else part
                for_call = {}
            case _:
                yield part


def _packed(extras: Extras, own: str | None) -> str:
    carried = json.dumps([extras, own], separators=(",", ":")).encode()
    return _MARK + base64.b64encode(carried).decode()


def _read(text: str) -> tuple[Extras, str | None]:
    """The extras in `text` and the provider's own text beside them; nothing where a client changed it."""
    try:
        value: Any = read_strictly(base64.b64decode(text.removeprefix(_MARK), validate=True))
        extras, own = value
    except (ValueError, TypeError):
        return {}, None
    known = _known(cast("dict[Any, Any]", extras) if isinstance(extras, dict) else {})
    return known, own if isinstance(own, str) else None


def _known(extras: Mapping[Any, Any]) -> Extras:
    found: dict[Any, Any] = {}
    for dialect, names in _CARRIED.items():
        fields: Any = extras.get(dialect)
        if isinstance(fields, dict):
            kept = {name: value for name, value in cast("dict[str, Any]", fields).items() if name in names}
            if kept:
                found[dialect] = kept
    return found
