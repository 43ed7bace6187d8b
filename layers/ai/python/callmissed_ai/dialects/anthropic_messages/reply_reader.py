"""From a message, whole or streamed, to the neutral reply."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, cast

from callmissed_ai.dialects.accumulation import whole_reply
from callmissed_ai.dialects.anthropic_messages.usage import read_usage
from callmissed_ai.dialects.conversation import (
    Event,
    Extras,
    Part,
    PartEnded,
    PartGrew,
    PartSigned,
    PartStarted,
    RedactedThinking,
    Reply,
    ReplyStopped,
    Stop,
    Text,
    Thinking,
    ToolCall,
    UsageReported,
)
from callmissed_ai.dialects.json_reply import UnusableReply
from callmissed_ai.dialects.stream_reader import UnreadableStream

_STOPS: Mapping[object, Stop] = {
    "end_turn": Stop.END,
    "max_tokens": Stop.LIMIT,
    "stop_sequence": Stop.STOP_SEQUENCE,
    "tool_use": Stop.TOOL_CALLS,
    "refusal": Stop.REFUSED,
    "pause_turn": Stop.PAUSED,
    "model_context_window_exceeded": Stop.CONTEXT_FULL,
}

_GROWTH: Mapping[object, str] = {
    "text_delta": "text",
    "thinking_delta": "thinking",
    "input_json_delta": "partial_json",
}
"""Field of a delta that a part grows by, by the delta's type."""


def read_reply(reply: Mapping[str, Any]) -> Reply:
    """A whole message. Raises UnusableReply for what is none."""
    content: Any = reply.get("content")
    if reply.get("type") != "message" or not isinstance(content, list):
        raise UnusableReply("no message")
    reader = EventReader()
    events = list(reader.started(reply))
    for index, block in enumerate(cast("list[Any]", content)):
        if isinstance(block, dict):
            events += reader.whole_block(index, cast("dict[str, Any]", block))
    events += reader.stopped(reply, reply.get("usage"))
    return whole_reply(events)


class EventReader:
    """Reads the events of one stream."""

    def __init__(self) -> None:
        self.has_stopped = False
        self._empty_calls: set[int] = set()
        """Calls whose input has not come yet; one that never does is an empty object."""

    def read(self, fields: Mapping[str, Any]) -> Iterator[Event]:
        """The neutral events of one event. Raises UnreadableStream for an error."""
        match fields.get("type"):
            case "message_start":
                yield from self.started(_object(fields.get("message")))
            case "content_block_start":
                yield from self._start(_index(fields), _object(fields.get("content_block")))
            case "content_block_delta":
                yield from self._grow(_index(fields), _object(fields.get("delta")))
            case "content_block_stop":
                yield from self._end(_index(fields))
            case "message_delta":
                yield from self.stopped(_object(fields.get("delta")), fields.get("usage"))
            case "error":
                raise UnreadableStream("the upstream reports an error")
            case _:
                pass

    def started(self, message: Mapping[str, Any]) -> Iterator[Event]:
        """The usage at the beginning: the input's."""
        if usage := read_usage(message.get("usage")):
            yield UsageReported(usage)

    def stopped(self, delta: Mapping[str, Any], usage: object) -> Iterator[Event]:
        """The usage and the reason at the end."""
        if used := read_usage(usage):
            yield UsageReported(used)
        if reason := delta.get("stop_reason"):
            self.has_stopped = True
            sequence = delta.get("stop_sequence")
            yield ReplyStopped(_STOPS.get(reason, Stop.END), sequence if isinstance(sequence, str) else None)

    def whole_block(self, index: int, block: Mapping[str, Any]) -> Iterator[Event]:
        """The events of a block that is whole."""
        yield from self._start(index, block)
        yield from self._end(index)

    def _start(self, index: int, block: Mapping[str, Any]) -> Iterator[Event]:
        part, text = _part(block)
        yield PartStarted(index, part)
        if text:
            yield PartGrew(index, text)
        elif isinstance(part, ToolCall):
            self._empty_calls.add(index)
        if isinstance(part, Thinking) and (signature := _text(block.get("signature"))):
            yield PartSigned(index, signature)

    def _grow(self, index: int, delta: Mapping[str, Any]) -> Iterator[Event]:
        if delta.get("type") == "signature_delta":
            yield PartSigned(index, _text(delta.get("signature")))
        elif text := _text(delta.get(_GROWTH.get(delta.get("type"), ""))):
            self._empty_calls.discard(index)
            yield PartGrew(index, text)

    def _end(self, index: int) -> Iterator[Event]:
        if index in self._empty_calls:
            yield PartGrew(index, "{}")
        yield PartEnded(index)


def _part(block: Mapping[str, Any]) -> tuple[Part, str]:
    """The part of a block, empty, and the text that the block has already."""
    match block.get("type"):
        case "text":
            return Text("", _extras(block, "citations")), _text(block.get("text"))
        case "thinking":
            return Thinking(""), _text(block.get("thinking"))
        case "redacted_thinking":
            return RedactedThinking(_text(block.get("data"))), ""
        case "tool_use":
            arguments = block.get("input")
            text = json.dumps(arguments, ensure_ascii=False, separators=(",", ":")) if arguments else ""
            return ToolCall(_text(block.get("id")), _text(block.get("name")), ""), text
        case _:
            raise UnreadableStream("a block of an unknown type")


def _extras(block: Mapping[str, Any], *names: str) -> Extras:
    found = {name: block[name] for name in names if block.get(name)}
    return {"anthropic_messages": found} if found else {}


def _object(value: object) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _index(fields: Mapping[str, Any]) -> int:
    index = fields.get("index")
    if not isinstance(index, int):
        raise UnreadableStream("a block without index")
    return index


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
