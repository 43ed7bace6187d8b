"""Adding the events of a stream up to the reply that a blocking call would have got."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from callmissed_ai.dialects.conversation import (
    Event,
    Part,
    PartEnded,
    PartGrew,
    PartSigned,
    PartStarted,
    Refusal,
    Reply,
    ReplyStopped,
    Stop,
    Text,
    Thinking,
    ToolCall,
    UsageReported,
)
from callmissed_ai.tokens.usage import larger


def whole_reply(events: Iterable[Event]) -> Reply:
    """The reply whose stream has these events."""
    parts: dict[int, Part] = {}
    texts: dict[int, list[str]] = {}
    reply = Reply((), Stop.END)
    for event in events:
        match event:
            case PartStarted():
                parts[event.index], texts[event.index] = event.part, []
            case PartGrew():
                texts[event.index].append(event.text)
            case PartSigned():
                parts[event.index] = _signed(parts[event.index], event.signature)
            case UsageReported():
                reply = replace(reply, usage=larger(reply.usage, event.usage))
            case ReplyStopped():
                reply = replace(reply, stop=event.stop, stop_sequence=event.stop_sequence)
            case _:
                pass
    return replace(reply, parts=tuple(_grown(part, "".join(texts[index])) for index, part in parts.items()))


def events_of(reply: Reply) -> Iterator[Event]:
    """The events of the shortest stream that adds up to `reply`."""
    for index, part in enumerate(reply.parts):
        yield from _events_of_part(index, part)
    if reply.usage:
        yield UsageReported(reply.usage)
    yield ReplyStopped(reply.stop, reply.stop_sequence)


def _events_of_part(index: int, part: Part) -> Iterator[Event]:
    text = ""
    match part:
        case Text() | Refusal():
            yield PartStarted(index, replace(part, text=""))
            text = part.text
        case Thinking():
            yield PartStarted(index, replace(part, text="", signature=None))
            text = part.text
        case ToolCall():
            yield PartStarted(index, replace(part, arguments=""))
            text = part.arguments
        case _:
            yield PartStarted(index, part)
    if text:
        yield PartGrew(index, text)
    if isinstance(part, Thinking) and part.signature is not None:
        yield PartSigned(index, part.signature)
    yield PartEnded(index)


def _signed(part: Part, signature: str) -> Part:
    return replace(part, signature=(part.signature or "") + signature) if isinstance(part, Thinking) else part


def _grown(part: Part, text: str) -> Part:
    match part:
        case Text() | Thinking() | Refusal():
            return replace(part, text=part.text + text)
        case ToolCall():
            return replace(part, arguments=part.arguments + text)
        case _:
            return part
