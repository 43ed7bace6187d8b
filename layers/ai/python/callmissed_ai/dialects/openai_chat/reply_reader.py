"""From a chat completion, whole or streamed, to the neutral reply."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from callmissed_ai.dialects.accumulation import whole_reply
from callmissed_ai.dialects.conversation import (
    Event,
    Extras,
    Part,
    PartEnded,
    PartGrew,
    PartSigned,
    PartStarted,
    RedactedThinking,
    Refusal,
    Reply,
    ReplyStopped,
    Stop,
    Text,
    Thinking,
    UsageReported,
)
from callmissed_ai.dialects.json_reply import UnusableReply
from callmissed_ai.dialects.openai_chat.reasoning import NAMES, STATED_BY_TYPE, VARYING_FIELDS
from callmissed_ai.dialects.openai_chat.reply import ERROR_REASONS, message_of, objects
from callmissed_ai.dialects.openai_chat.stream import is_error
from callmissed_ai.dialects.openai_chat.usage import read_usage, reported_usage
from callmissed_ai.dialects.stream_reader import MAX_EVENT_BYTES, UnreadableStream, json_object
from callmissed_ai.dialects.tools.call_reader import CallReader
from callmissed_ai.streams.sse import BYTE_ORDER_MARK, NULL, EventSplitter, data_of, split

_STOPS: Mapping[str, Stop] = {
    "stop": Stop.END,
    "length": Stop.LIMIT,
    "max_tokens": Stop.LIMIT,
    "model_length": Stop.CONTEXT_FULL,
    "tool_calls": Stop.TOOL_CALLS,
    "tool_use": Stop.TOOL_CALLS,
    "function_call": Stop.TOOL_CALLS,
    "content_filter": Stop.REFUSED,
    "refusal": Stop.REFUSED,
    "safety": Stop.REFUSED,
    "sensitive": Stop.REFUSED,
    "model_context_window_exceeded": Stop.CONTEXT_FULL,
}
"""Reasons to stop, those that single providers have included."""


def read_reply(reply: Mapping[str, Any]) -> Reply:
    """The first choice of a whole `reply`. Raises UnusableReply where there is none."""
    if _first_choice(reply) is None:
        raise UnusableReply("no choice with index 0")
    reader = ChunkReader()
    try:
        return whole_reply([*reader.read(reply), *reader.end()])
    except UnreadableStream as error:
        raise UnusableReply(str(error)) from None


class ChatStreamReader:
    """Reads the bytes of one stream; implements `StreamReader`."""

    def __init__(self) -> None:
        self.finished = False
        self._splitter = EventSplitter()
        self._chunks = ChunkReader()

    def feed(self, body: bytes) -> Iterator[Event]:
        """See `StreamReader.feed`."""
        for event in split(self._splitter.feed(body)):
            if not self.finished:
                yield from self._read(event)
        if self._splitter.pending_bytes > MAX_EVENT_BYTES:
            raise UnreadableStream("an event without end")

    def end(self) -> Iterator[Event]:
        """See `StreamReader.end`."""
        if not self.finished:
            yield from self._read(self._splitter.rest())
        if self.finished:
            return
        if self._chunks.stop is None:
            raise UnreadableStream("no [DONE] and no finish reason")
        yield from self._finish()

    def _read(self, event: bytes) -> Iterator[Event]:
        data = data_of(event.removeprefix(BYTE_ORDER_MARK))
        if data == b"[DONE]":
            yield from self._finish()
        elif data not in (b"", NULL):
            chunk = json_object(data)
            if is_error(event, chunk):
                yield from _usage(chunk)
                raise UnreadableStream("the upstream reports an error")
            yield from self._chunks.read(chunk)

    def _finish(self) -> Iterator[Event]:
        if not self._chunks.has_begun:
            raise UnreadableStream("no reply in the stream")
        self.finished = True
        yield from self._chunks.end()


class ChunkReader:
    """Reads the chunks of one stream: the parts of its first choice, in the order in which they begin."""

    def __init__(self) -> None:
        self.stop: Stop | None = None
        self._next = 0
        self._open: _OpenPart | None = None
        self._calls = CallReader(self._take_index)
        self._refused = False

    @property
    def has_begun(self) -> bool:
        """Whether a part has begun, or a reason to stop has come."""
        return self._next > 0 or self._calls.has_calls or self.stop is not None

    def read(self, chunk: Mapping[str, Any]) -> Iterator[Event]:
        """The events of one chunk."""
        choice = _first_choice(chunk)
        if choice is not None:
            yield from self._read_message(message_of(choice))
            self.stop = _stop(choice.get("finish_reason")) or self.stop
        yield from _usage(chunk)

    def end(self) -> Iterator[Event]:
        """The events at the end of a stream that is complete."""
        yield from self._closing_for(self._calls.end())
        yield from self._close()
        stop = self.stop or Stop.END
        if self._refused:
            stop = Stop.REFUSED
        elif self._calls.has_calls and stop is Stop.END:
            stop = Stop.TOOL_CALLS
        elif not self._calls.has_calls and stop is Stop.TOOL_CALLS:
            stop = Stop.END
        yield ReplyStopped(stop)

    def _read_message(self, message: Mapping[str, Any]) -> Iterator[Event]:
        yield from self._read_reasoning(message)
        yield from self._read_content(message.get("content"))
        if isinstance(refusal := message.get("refusal"), str) and refusal:
            self._refused = True
            yield from self._grow("refusal", Refusal(""), refusal)
        for number, call in enumerate(objects(message.get("tool_calls"))):
            yield from self._closing_for(self._calls.read(call, number))
        if isinstance(legacy := message.get("function_call"), dict):
            yield from self._closing_for(self._calls.read({"index": 0, "function": legacy}, 0))

    def _closing_for(self, events: Iterator[Event]) -> Iterator[Event]:
        """`events`, and before one that begins a part the end of the open one."""
        for event in events:
            if isinstance(event, PartStarted):
                yield from self._close()
            yield event

    def _read_content(self, content: object) -> Iterator[Event]:
        """The text of a content, which some providers send in parts, thoughts among them."""
        if isinstance(content, str):
            if content:
                yield from self._grow("content", Text(""), content)
            return
        for part in objects(content):
            if part.get("type") == "thinking":
                text = "".join(_text(inner.get("text")) for inner in objects(part.get("thinking")))
                yield from self._grow("thinking", Thinking("", extras=_chat(reasoning_content=True)), text)
            elif text := _text(part.get("text")):
                yield from self._grow("content", Text(""), text)

    def _read_reasoning(self, message: Mapping[str, Any]) -> Iterator[Event]:
        """The reasoning of a chunk; it may be there under several names."""
        if details := objects(message.get("reasoning_details")):
            for detail in details:
                yield from self._read_detail(detail)
            return
        for name in NAMES:
            if isinstance(text := message.get(name), str) and text:
                yield from self._grow(name, Thinking("", extras=_chat(**{name: True})), text)
                return

    def _read_detail(self, detail: Mapping[str, Any]) -> Iterator[Event]:
        kind = _text(detail.get("type"))
        constant = {name: value for name, value in detail.items() if name not in VARYING_FIELDS}
        extras = _chat(reasoning_details=constant)
        if kind not in STATED_BY_TYPE:
            yield from self._whole(RedactedThinking(str(detail.get("data") or ""), extras))
            return
        part = f"{kind} {detail.get('index')}"
        text, signature = detail.get(STATED_BY_TYPE[kind]), detail.get("signature")
        if (isinstance(text, str) and text) or signature:
            yield from self._grow(part, Thinking("", extras=extras), text if isinstance(text, str) else "")
        if isinstance(signature, str) and signature and self._open:
            yield PartSigned(self._open.index, signature)

    def _grow(self, name: str, empty: Part, text: str) -> Iterator[Event]:
        if self._open is None or self._open.name != name:
            yield from self._close()
            self._open = _OpenPart(name, self._take_index())
            yield PartStarted(self._open.index, empty)
        if text:
            yield PartGrew(self._open.index, text)

    def _whole(self, part: Part) -> Iterator[Event]:
        yield from self._close()
        index = self._take_index()
        yield PartStarted(index, part)
        yield PartEnded(index)

    def _close(self) -> Iterator[Event]:
        if self._open is not None:
            yield PartEnded(self._open.index)
            self._open = None

    def _take_index(self) -> int:
        self._next += 1
        return self._next - 1


@dataclass(slots=True)
class _OpenPart:
    """A part that grows as long as chunks bring more of the field `name`."""

    name: str
    index: int


def _stop(reason: object) -> Stop | None:
    """The reason in our words. Some providers write it in capitals, or add a detail after a colon."""
    if not isinstance(reason, str) or not reason:
        return None
    known = reason.partition(":")[0].strip().lower()
    if known in ERROR_REASONS:
        raise UnreadableStream("the upstream reports an error")
    return _STOPS.get(known, Stop.END)


def _usage(chunk: Mapping[str, Any]) -> Iterator[Event]:
    if usage := read_usage(reported_usage(chunk)):
        yield UsageReported(usage)


def _first_choice(chunk: Mapping[str, Any]) -> dict[str, Any] | None:
    return next((choice for choice in objects(chunk.get("choices")) if not choice.get("index")), None)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _chat(**fields: Any) -> Extras:
    return {"openai_chat": fields}
