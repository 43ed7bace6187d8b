"""Fields of other dialects, carried through a client of this one.

A client sends the blocks of a reply back as it got them, but knows no field for what another dialect attaches to a
thought or a tool call, such as the signature that Gemini demands back. A thought carries them in its own signature, and
a tool call in a `redacted_thinking` block before it: clients send both back unread.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from callmissed_ai.dialects.conversation import Extras, Part, RedactedThinking, Thinking, ToolCall
from callmissed_ai.dialects.reasoning.carrying import is_packed, known_extras, packed
from callmissed_ai.dialects.reasoning.carrying import unpacked as read_packed


def signature_of(thought: Thinking) -> str:
    """The signature of a thinking block: the provider's own, or what carries it and the extras."""
    carried = known_extras(thought.extras)
    return packed(carried, thought.signature or "") if carried else thought.signature or ""


def data_of(thought: RedactedThinking) -> str:
    """The data of a `redacted_thinking` block: the provider's own, or what carries it and the extras."""
    carried = known_extras(thought.extras)
    return packed(carried, thought.data) if carried else thought.data


def data_before(call: ToolCall) -> str | None:
    """The data of the block before a tool call that carries its extras; None where it has none."""
    carried = known_extras(call.extras)
    return packed(carried, None) if carried else None


def unpacked(parts: Iterable[Part]) -> Iterator[Part]:
    """`parts`, with what they carry in its place again."""
    for_call: Extras = {}
    for part in parts:
        match part:
            case Thinking() if part.signature and is_packed(part.signature):
                extras, signature = _read(part.signature)
                yield replace(part, signature=signature or None, extras=extras)
            case RedactedThinking() if is_packed(part.data):
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


def _read(text: str) -> tuple[Extras, str | None]:
    """The extras in `text` and the provider's own text beside them."""
    extras, own = read_packed(text)
    return extras, own if isinstance(own, str) else None
