"""From a reply of Converse, whole or streamed, to the neutral reply."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from callmissed_ai.dialects.accumulation import whole_reply
from callmissed_ai.dialects.bedrock_converse.redaction import text_of
from callmissed_ai.dialects.bedrock_converse.usage import read_usage
from callmissed_ai.dialects.conversation import (
    Event,
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
    "guardrail_intervened": Stop.REFUSED,
    "content_filtered": Stop.REFUSED,
    "model_context_window_exceeded": Stop.CONTEXT_FULL,
}
_DEFECTS = frozenset({"malformed_model_output", "malformed_tool_use"})
"""Reasons to stop that make a reply unusable: Bedrock can't read what the model wrote."""


def read_reply(reply: Mapping[str, Any]) -> Reply:
    """A whole reply. Raises UnusableReply for what is none."""
    message = _object(_object(reply.get("output")).get("message"))
    content: Any = message.get("content")
    if not isinstance(content, list) or not reply.get("stopReason"):
        raise UnusableReply("no message")
    reader = ConverseEventReader()
    try:
        events = [event for block in cast("list[Any]", content) for event in reader.whole_block(_object(block))]
        events += [*reader.stopped(reply), *reader.reported(reply), *reader.end()]
    except UnreadableStream as error:
        raise UnusableReply(str(error)) from None
    return whole_reply(events)


@dataclass(slots=True)
class _OpenPart:
    """The part that a block is now: a block of one index has had parts of two kinds."""

    index: int
    kind: type[Part]
    has_grown: bool = False
    redacted: str = ""


class ConverseEventReader:
    """Reads the events of one stream. A reply is over when it has stopped and its usage is there, or its body ends.

    Blocks of kinds that no caller of another dialect can have asked for are left out.
    """

    def __init__(self) -> None:
        self.is_over = False
        self._open: dict[int, _OpenPart] = {}
        self._next = 0
        self._stop: ReplyStopped | None = None
        self._defect = ""
        self._has_calls = False
        self._has_usage = False

    def read(self, name: str, fields: Mapping[str, Any]) -> Iterator[Event]:
        """The neutral events of one event. Raises UnreadableStream."""
        match name:
            case "contentBlockStart":
                yield from self._started(_index(fields), _object(fields.get("start")))
            case "contentBlockDelta":
                yield from self._grown(_index(fields), _object(fields.get("delta")))
            case "contentBlockStop":
                yield from self._end_part(_index(fields))
            case "messageStop":
                yield from self.stopped(fields)
            case "metadata":
                yield from self.reported(fields)
            case _:
                pass
        if self._has_usage and (self._stop or self._defect):
            yield from self.end()

    def stopped(self, fields: Mapping[str, Any]) -> Iterator[Event]:
        """End the parts, and keep why the reply stops: its usage may still come."""
        for index in list(self._open):
            yield from self._end_part(index)
        reason = fields.get("stopReason")
        if reason in _DEFECTS:
            self._defect = str(reason)
        stop = _STOPS.get(reason, Stop.END)
        if stop in (Stop.END, Stop.TOOL_CALLS):  # calls are the reason where there are any, and only then
            stop = Stop.TOOL_CALLS if self._has_calls else Stop.END
        sequence = _object(fields.get("additionalModelResponseFields")).get("stop_sequence")
        self._stop = ReplyStopped(stop, sequence if isinstance(sequence, str) else None)

    def reported(self, fields: Mapping[str, Any]) -> Iterator[Event]:
        """The usage."""
        if usage := read_usage(fields.get("usage")):
            self._has_usage = True
            yield UsageReported(usage)

    def end(self) -> Iterator[Event]:
        """The reply's end. Raises UnreadableStream where it has not stopped, or with a defect."""
        if self.is_over:
            return
        if self._stop is None or self._defect:
            raise UnreadableStream(self._defect or "no messageStop")
        self.is_over = True
        yield self._stop

    def whole_block(self, block: Mapping[str, Any]) -> Iterator[Event]:
        """The events of a block that is whole."""
        index = self._next
        if call := _object(block.get("toolUse")):
            yield from self._started(index, {"toolUse": call})
            arguments = json.dumps(call.get("input") or {}, ensure_ascii=False, separators=(",", ":"))
            yield from self._grown(index, {"toolUse": {"input": arguments}})
        elif thought := _object(_object(block.get("reasoningContent")).get("reasoningText")):
            for name in ("text", "signature"):
                yield from self._grown(index, {"reasoningContent": {name: thought.get(name) or ""}})
        else:
            yield from self._grown(index, _cited(block))
        yield from self._end_part(index)

    def _started(self, index: int, start: Mapping[str, Any]) -> Iterator[Event]:
        call = _object(start.get("toolUse"))
        if call:
            self._has_calls = True
            yield from self._start(index, ToolCall(_text(call.get("toolUseId")), _text(call.get("name")), ""))

    def _grown(self, index: int, delta: Mapping[str, Any]) -> Iterator[Event]:
        match delta:
            case {"text": str(text)}:
                yield from self._grow(index, Text(""), text)
            case {"toolUse": {"input": str(text)}}:
                if self._kind(index) is not ToolCall:
                    raise UnreadableStream("arguments of no call")
                yield from self._grow(index, ToolCall("", "", ""), text)
            case {"reasoningContent": {"text": str(text)}}:
                yield from self._grow(index, Thinking(""), text)
            case {"reasoningContent": {"signature": str(signature)}}:
                yield from self._grow(index, Thinking(""), "")
                if signature:
                    yield PartSigned(self._open[index].index, signature)
            case {"reasoningContent": {"redactedContent": str(redacted)}}:
                yield from self._redact(index, redacted)
            case _:
                pass

    def _redact(self, index: int, redacted: str) -> Iterator[Event]:
        """Keep redacted bytes until their block ends: a part has its data from the start."""
        if self._kind(index) is not RedactedThinking:
            yield from self._end_part(index)
            self._open[index] = _OpenPart(self._take_index(), RedactedThinking)
        self._open[index].redacted += redacted

    def _grow(self, index: int, empty: Part, text: str) -> Iterator[Event]:
        if self._kind(index) is not type(empty):
            yield from self._start(index, empty)
        opened = self._open[index]
        if text:
            opened.has_grown = True
            yield PartGrew(opened.index, text)

    def _start(self, index: int, empty: Part) -> Iterator[Event]:
        yield from self._end_part(index)
        opened = self._open[index] = _OpenPart(self._take_index(), type(empty))
        yield PartStarted(opened.index, empty)

    def _end_part(self, index: int) -> Iterator[Event]:
        opened = self._open.pop(index, None)
        if opened is None:
            return
        if opened.kind is RedactedThinking:
            yield PartStarted(opened.index, RedactedThinking(text_of(opened.redacted)))
        if opened.kind is ToolCall and not opened.has_grown:
            yield PartGrew(opened.index, "{}")
        yield PartEnded(opened.index)

    def _kind(self, index: int) -> type[Part] | None:
        opened = self._open.get(index)
        return opened.kind if opened else None

    def _take_index(self) -> int:
        self._next += 1
        return self._next - 1


def _cited(block: Mapping[str, Any]) -> Mapping[str, Any]:
    """A block with citations as the text that it has."""
    cited: Any = _object(block.get("citationsContent")).get("content")
    if not isinstance(cited, list):
        return block
    return {"text": "".join(_text(_object(each).get("text")) for each in cast("list[Any]", cited))}


def _object(value: object) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _index(fields: Mapping[str, Any]) -> int:
    index = fields.get("contentBlockIndex")
    if not isinstance(index, int):
        raise UnreadableStream("a block without index")
    return index


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
