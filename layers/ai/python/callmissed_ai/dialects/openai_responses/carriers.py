"""What other dialects attach to thoughts and tool calls, carried through a client of this one.

A client sends the items of a reply back as it got them. A reasoning item has one field that clients don't read,
`encrypted_content`: there the thought's signature travels, the data of a redacted one, and what belongs to the call
that follows. The field is there whether or not the caller asked to `include` it, because the conversation could not
go on without it.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, cast

from callmissed_ai.dialects.conversation import Extras, Part, RedactedThinking, Thinking, ToolCall
from callmissed_ai.dialects.reasoning.carrying import is_packed, known_extras, packed, unpacked

_DIALECT = "openai_responses"
Kind = Literal["thinking", "redacted", "call"]


@dataclass(frozen=True, slots=True)
class CallExtras:
    """Stands before a call among the parts of a turn, and has its extras."""

    extras: Extras


def content_of(thought: Thinking | RedactedThinking) -> str | None:
    """The encrypted content of a thought: the provider's own, or what carries it and the extras. None for neither."""
    if _DIALECT in thought.extras:
        return thought.signature if isinstance(thought, Thinking) else thought.data
    extras = known_extras(thought.extras)
    if isinstance(thought, RedactedThinking):
        return packed(extras, ["redacted", thought.data])
    return packed(extras, ["thinking", thought.signature]) if extras or thought.signature else None


def content_before(call: ToolCall) -> str | None:
    """The encrypted content of the item before a call that carries the call's extras; None where it has none."""
    extras = known_extras(call.extras)
    return packed(extras, ["call", None]) if extras else None


def is_carrier(item: Mapping[str, Any]) -> bool:
    """Whether a reasoning item was made here."""
    content = item.get("encrypted_content")
    return isinstance(content, str) and is_packed(content)


def is_thought(item: Mapping[str, Any]) -> bool:
    """Whether an item that was made here is a thought of another provider, and not only what belongs to a call."""
    return not isinstance(read_carrier(item["encrypted_content"], ""), CallExtras)


def read_carrier(content: str, text: str) -> Thinking | RedactedThinking | CallExtras:
    """What the item with this encrypted content and this text carries; a plain thought where a client changed it."""
    extras, own = unpacked(content)
    pair = cast("list[Any]", own) if isinstance(own, list) else []
    kind, value = pair if len(pair) == 2 else ("", "")
    if kind == "call":
        return CallExtras(extras)
    if kind == "redacted" and isinstance(value, str):
        return RedactedThinking(value, extras)
    return Thinking(text, value if isinstance(value, str) and value else None, extras)


def with_extras_of_calls(parts: Iterable[Part | CallExtras]) -> Iterator[Part]:
    """`parts`, with each call's extras in their place again."""
    waiting: Extras = {}
    for part in parts:
        match part:
            case CallExtras():
                waiting = part.extras
            case ToolCall():
                yield replace(part, extras={**part.extras, **waiting}) if waiting else part
                waiting = {}
            case _:
                yield part
