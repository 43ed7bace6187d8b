"""From a message, whole or streamed, to the neutral reply."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from callmissed_ai.dialects.accumulation import whole_reply
from callmissed_ai.dialects.anthropic_messages.usage import read_usage, reports_output
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

_STOPS: Mapping[str, Stop] = {
    "end_turn": Stop.END,
    "max_tokens": Stop.LIMIT,
    "stop_sequence": Stop.STOP_SEQUENCE,
    "tool_use": Stop.TOOL_CALLS,
    "refusal": Stop.REFUSED,
    "pause_turn": Stop.PAUSED,
    "model_context_window_exceeded": Stop.CONTEXT_FULL,
}

_GROWTH: Mapping[str, tuple[str, type[Part]]] = {
    "text_delta": ("text", Text),
    "thinking_delta": ("thinking", Thinking),
    "input_json_delta": ("partial_json", ToolCall),
}
"""Field of a delta that a part grows by, and the kind of part that may, by the delta's type."""

_NO_INPUT = "{}"


def read_reply(reply: Mapping[str, Any]) -> Reply:
    """A whole message. Raises UnusableReply for what is none."""
    content: Any = reply.get("content")
    if reply.get("type") != "message" or not isinstance(content, list):
        raise UnusableReply("no message")
    reader, events = EventReader(), list[Event]()
    for index, block in enumerate(cast("list[Any]", content)):
        if isinstance(block, dict):
            events += reader.whole_block(index, cast("dict[str, Any]", block))
    events += [*reader.stopped(reply, reply.get("usage")), *reader.ended()]
    return whole_reply(events)


@dataclass(slots=True)
class _OpenBlock:
    """A block that has not ended. `index` numbers the parts of the reply, None where the block is none of them."""

    index: int | None
    part: Part | None
    input: str = ""
    """Input that the block began with, which counts where no more of it comes."""


class EventReader:
    """Reads the events of one stream.

    Blocks of types that no caller of another dialect can have asked for, such as those of hosted tools, are left out.
    """

    def __init__(self) -> None:
        self.has_stopped = False
        self.has_reported_end = False
        self._stopped = ReplyStopped(Stop.END)
        self._usage: dict[str, Any] = {}
        self._open: dict[int, _OpenBlock] = {}
        self._parts = 0
        self._has_calls = False

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
            case "message_stop":
                if not (self.has_stopped or self._parts):
                    raise UnreadableStream("no reply in the stream")
                yield from self.ended()
            case kind if kind == "error" or fields.get("error"):
                raise UnreadableStream("the upstream reports an error")
            case _:
                pass

    def started(self, message: Mapping[str, Any]) -> Iterator[Event]:
        """The usage at the beginning: the input's."""
        yield from self._reported(message.get("usage"), at_start=True)

    def stopped(self, delta: Mapping[str, Any], usage: object) -> Iterator[Event]:
        """The usage at the end. The reason is kept: providers report usage, or the reason, once more after it."""
        self.has_reported_end = self.has_reported_end or reports_output(usage)
        yield from self._reported(usage)
        if isinstance(reason := delta.get("stop_reason"), str) and reason:
            self.has_stopped = True
            sequence = delta.get("stop_sequence")
            self._stopped = ReplyStopped(_STOPS.get(reason, Stop.END), sequence if isinstance(sequence, str) else None)

    def ended(self) -> Iterator[Event]:
        """The events at the end of a complete reply. Calls are its reason where there are any, and only then."""
        for index in list(self._open):
            yield from self._end(index)
        stopped = self._stopped
        if self._has_calls and stopped.stop is Stop.END:
            stopped = ReplyStopped(Stop.TOOL_CALLS)
        elif not self._has_calls and stopped.stop is Stop.TOOL_CALLS:
            stopped = ReplyStopped(Stop.END)
        yield stopped

    def whole_block(self, index: int, block: Mapping[str, Any]) -> Iterator[Event]:
        """The events of a block that is whole."""
        yield from self._start(index, block)
        yield from self._end(index)

    def _reported(self, usage: object, *, at_start: bool = False) -> Iterator[Event]:
        """The usage so far. A report may lack what an earlier one has; without any output it covers no text."""
        self._usage |= {name: value for name, value in _object(usage).items() if value is not None}
        if not at_start and not reports_output(self._usage):
            return
        if read_usage(usage) and (merged := read_usage(self._usage)):
            yield UsageReported(merged, at_start)

    def _start(self, index: int, block: Mapping[str, Any]) -> Iterator[Event]:
        yield from self._end(index)
        part, text = _part(block)
        if part is None:
            self._open[index] = _OpenBlock(None, None)
            return
        opened = self._open[index] = _OpenBlock(self._parts, part)
        self._parts += 1
        yield PartStarted(self._parts - 1, part)
        if isinstance(part, ToolCall):
            self._has_calls = True
            opened.input = text or _NO_INPUT
        elif text:
            yield PartGrew(self._parts - 1, text)
        if isinstance(part, Thinking) and (signature := _text(block.get("signature"))):
            yield PartSigned(self._parts - 1, signature)

    def _grow(self, index: int, delta: Mapping[str, Any]) -> Iterator[Event]:
        block = self._open.get(index)
        if block is None:
            raise UnreadableStream("a delta of no block")
        if block.index is None:
            return
        kind = _text(delta.get("type"))
        if kind == "signature_delta" and isinstance(block.part, Thinking):
            yield PartSigned(block.index, _text(delta.get("signature")))
        elif kind in _GROWTH:
            yield from _growth(block, block.index, delta, *_GROWTH[kind])

    def _end(self, index: int) -> Iterator[Event]:
        block = self._open.pop(index, None)
        if block is None or block.index is None:
            return
        if block.input:
            yield PartGrew(block.index, block.input)
        yield PartEnded(block.index)


def _growth(block: _OpenBlock, index: int, delta: Mapping[str, Any], field: str, grows: type[Part]) -> Iterator[Event]:
    if not isinstance(block.part, grows):
        raise UnreadableStream("a delta that its block can't have")
    if text := _text(delta.get(field)):
        block.input = ""
        yield PartGrew(index, text)


def _part(block: Mapping[str, Any]) -> tuple[Part | None, str]:
    """The part of a block, empty, and the text that the block has already. None for a block that is no part."""
    match block.get("type"):
        case "text":
            return Text("", _extras(block, "citations")), _text(block.get("text"))
        case "thinking":
            return Thinking(""), _text(block.get("thinking"))
        case "redacted_thinking":
            return RedactedThinking(_text(block.get("data"))), ""
        case "tool_use":
            return ToolCall(_text(block.get("id")), _text(block.get("name")), ""), _arguments(block.get("input"))
        case _:
            return None, ""


def _arguments(value: object) -> str:
    """Input as JSON text; some providers send that text instead of the object."""
    if isinstance(value, str) or not value:
        return value or "" if isinstance(value, str) else ""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


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
