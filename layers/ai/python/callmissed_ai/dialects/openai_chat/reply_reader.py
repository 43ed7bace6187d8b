"""From a chat completion, whole or streamed, to the neutral reply."""

import json
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

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
    ToolCall,
    UsageReported,
)
from callmissed_ai.dialects.json_reply import UnusableReply
from callmissed_ai.dialects.openai_chat.reasoning import NAMES, STATED_BY_TYPE, VARYING_FIELDS
from callmissed_ai.dialects.openai_chat.reply import message_of, objects
from callmissed_ai.dialects.openai_chat.stream import is_error
from callmissed_ai.dialects.openai_chat.usage import read_usage
from callmissed_ai.dialects.stream_reader import MAX_EVENT_BYTES, UnreadableStream, json_object
from callmissed_ai.dialects.tool_arguments import arguments_object
from callmissed_ai.streams.sse import BYTE_ORDER_MARK, EventSplitter, data_of, split

_STOPS: Mapping[object, Stop] = {
    "stop": Stop.END,
    "length": Stop.LIMIT,
    "tool_calls": Stop.TOOL_CALLS,
    "function_call": Stop.TOOL_CALLS,
    "content_filter": Stop.REFUSED,
}


def read_reply(reply: Mapping[str, Any]) -> Reply:
    """The first choice of a whole `reply`. Raises UnusableReply where there is none."""
    if _first_choice(reply) is None:
        raise UnusableReply("no choice with index 0")
    reader = ChunkReader()
    return whole_reply([*reader.read(reply), *reader.end()])


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
        elif data:
            chunk = json_object(data)
            if is_error(event, chunk):
                raise UnreadableStream("the upstream reports an error")
            yield from self._chunks.read(chunk)

    def _finish(self) -> Iterator[Event]:
        self.finished = True
        yield from self._chunks.end()


class ChunkReader:
    """Reads the chunks of one stream: the parts of its first choice, in the order in which they begin.

    Providers repeat an index for another call, leave ids out, and end without a finish reason. A call that is followed
    by another one ends there when its arguments are whole, else with the reply.
    """

    def __init__(self) -> None:
        self.stop: Stop | None = None
        self._next = 0
        self._open: _OpenPart | None = None
        self._calls: dict[int, _OpenCall] = {}
        self._ids: set[str] = set()
        self._refused = False

    def read(self, chunk: Mapping[str, Any]) -> Iterator[Event]:
        """The events of one chunk."""
        choice = _first_choice(chunk)
        if choice is not None:
            yield from self._read_message(message_of(choice))
            if reason := choice.get("finish_reason"):
                self.stop = _STOPS.get(reason, Stop.END)
        if usage := read_usage(chunk.get("usage")):
            yield UsageReported(usage)

    def end(self) -> Iterator[Event]:
        """The events at the end of a stream that is complete."""
        yield from self._close()
        for call in self._calls.values():
            yield from _ended(call)
        if self._refused:
            self.stop = Stop.REFUSED
        elif self._ids and self.stop in (None, Stop.END):
            self.stop = Stop.TOOL_CALLS
        yield ReplyStopped(self.stop or Stop.END)

    def _read_message(self, message: Mapping[str, Any]) -> Iterator[Event]:
        yield from self._read_reasoning(message)
        if text := _text(message.get("content")):
            yield from self._grow("content", Text(""), text)
        if isinstance(refusal := message.get("refusal"), str) and refusal:
            self._refused = True
            yield from self._grow("refusal", Refusal(""), refusal)
        for number, call in enumerate(objects(message.get("tool_calls"))):
            yield from self._read_call(call, number)

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
        kind = detail.get("type")
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

    def _read_call(self, call: Mapping[str, Any], number: int) -> Iterator[Event]:
        found: Any = call.get("function")
        function = cast("dict[str, Any]", found) if isinstance(found, dict) else {}
        position: Any = call.get("index")
        index: int = position if isinstance(position, int) else number
        known = self._calls.get(index)
        if known is None or _is_another(known, call, function):
            known = yield from self._start_call(index, call, function)
        if text := _arguments(function.get("arguments")):
            known.arguments += text
            yield PartGrew(known.index, text)

    def _start_call(
        self, index: int, call: Mapping[str, Any], function: Mapping[str, Any]
    ) -> "Generator[Event, None, _OpenCall]":
        yield from self._close()
        if replaced := self._calls.pop(index, None):
            yield from _ended(replaced)
        for earlier in self._calls.values():
            if earlier.is_whole:
                yield from _ended(earlier)
        opened = _OpenCall(self._take_index(), call.get("id"))
        self._calls[index] = opened
        extra = call.get("extra_content")
        name = function.get("name")
        part = ToolCall(
            self._unique_id(opened),
            name if isinstance(name, str) else "",
            "",
            _chat(extra_content=extra) if extra else {},
        )
        yield PartStarted(opened.index, part)
        return opened

    def _unique_id(self, call: "_OpenCall") -> str:
        given = call.given_id
        usable = isinstance(given, str) and given and given not in self._ids
        found = cast("str", given) if usable else f"call_{call.index}"
        self._ids.add(found)
        return found

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


@dataclass(slots=True)
class _OpenCall:
    index: int
    given_id: object
    arguments: str = ""
    ended: bool = False

    @property
    def is_whole(self) -> bool:
        """Whether the arguments are a JSON object already."""
        return self.arguments.rstrip().endswith("}") and arguments_object(self.arguments) is not None


def _ended(call: _OpenCall) -> Iterator[Event]:
    if not call.ended:
        call.ended = True
        yield PartEnded(call.index)


def _is_another(known: _OpenCall, call: Mapping[str, Any], function: Mapping[str, Any]) -> bool:
    """Whether a call with the index of a `known` one is a new one: with another id, or after the known one is whole."""
    if not function.get("name"):
        return False
    given = call.get("id")
    return given != known.given_id if given else known.is_whole


def _first_choice(chunk: Mapping[str, Any]) -> dict[str, Any] | None:
    return next((choice for choice in objects(chunk.get("choices")) if not choice.get("index")), None)


def _text(content: object) -> str:
    """The text of a content, which some providers send in parts."""
    if isinstance(content, str):
        return content
    texts = (part.get("text") for part in objects(content))
    return "".join(text for text in texts if isinstance(text, str))


def _arguments(value: object) -> str:
    """Arguments as JSON text; some providers send the object itself."""
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False)
    return value if isinstance(value, str) else ""


def _chat(**fields: Any) -> Extras:
    return {"openai_chat": fields}
