"""From the neutral reply to a response, whole or streamed."""

import time
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from callmissed.errors import ApiError, envelope
from callmissed_ai.dialects.accumulation import events_of
from callmissed_ai.dialects.conversation import (
    Event,
    Part,
    PartEnded,
    PartGrew,
    PartSigned,
    PartStarted,
    RedactedThinking,
    Refusal,
    Reply,
    ReplyFrame,
    ReplyStopped,
    Stop,
    Text,
    Thinking,
    ToolCall,
    UsageReported,
)
from callmissed_ai.dialects.openai_responses import carriers
from callmissed_ai.dialects.openai_responses.kinds import (
    ARGUMENTS,
    OUTPUT_TEXT,
    REASONING_TEXT,
    REFUSAL,
    SUMMARY_TEXT,
    ContentKind,
)
from callmissed_ai.dialects.openai_responses.response_object import begun_response, failed_response
from callmissed_ai.dialects.openai_responses.usage import write_usage
from callmissed_ai.dialects.written_json import written_json
from callmissed_ai.tokens.usage import TokenUsage, larger

_PATH = "/v1/responses"
_LIMITS = frozenset({Stop.LIMIT, Stop.CONTEXT_FULL})
_NO_USAGE = TokenUsage(0, 0)
_PREFIXES: Mapping[str, str] = {"message": "msg", "reasoning": "rs", "function_call": "fc"}
"""What OpenAI's ids of items begin with; it refuses items with others that are sent back."""


def write_reply(reply: Reply, frame: ReplyFrame) -> dict[str, Any]:
    """The response, to which the stream of the same reply adds up."""
    writer = ResponseStreamWriter(frame)
    for event in events_of(reply):
        for _ in writer.events(event):
            pass
    return {**writer.finished_response()}


def write_event(fields: Mapping[str, Any]) -> bytes:
    """One server-sent event."""
    return b"event: %b\ndata: %b\n\n" % (fields["type"].encode(), written_json(fields))


def closing(error: ApiError, request_id: str) -> bytes:
    """The only event of a stream whose reply never began, which the SDKs raise as an APIError."""
    details = envelope(_PATH, error, request_id)["error"]
    shown = {name: details[name] for name in ("code", "message", "param")}
    return write_event({"type": "error", **shown, "sequence_number": 0, "error": details})


@dataclass(slots=True)
class _Item:
    """An item of the output. It is open until the next one begins, or the reply ends."""

    fields: dict[str, Any]
    index: int
    open_parts: int = 0
    kind: str = field(init=False)

    def __post_init__(self) -> None:
        self.kind = self.fields["type"]


@dataclass(slots=True)
class _OpenPart:
    """A part that grows: `place` is its object in the item, None for a call."""

    item: _Item
    kind: ContentKind
    index: int
    part: Part
    place: dict[str, Any] | None = None
    texts: list[str] = field(default_factory=list[str])
    signature: str | None = None


_Opening = Generator[dict[str, Any], None, _Item]


class ResponseStreamWriter:
    """Writes the events of one response, but for the last, which is sent when the call is settled.

    Items may grow in turn. One is done when all of its parts have ended and another begins, or the reply ends: only
    then it is known whether the item is complete.
    """

    def __init__(self, frame: ReplyFrame) -> None:
        self._frame = frame
        self._response = begun_response(frame)
        self._usage: TokenUsage | None = None
        self._next_number = 0
        self._started = False
        self._stopped = False
        self._finished: dict[str, Any] | None = None
        self._items: list[_Item] = []
        self._parts: dict[int, _OpenPart] = {}
        self._refused = False

    @property
    def response(self) -> dict[str, Any] | None:
        """See `Meter.response`."""
        if self._finished is None and self._stopped:
            self._finished = self.finished_response()
        return self._finished

    def finished_response(self) -> dict[str, Any]:
        """The response after its last event."""
        return {**self._response, "usage": write_usage(self._usage or _NO_USAGE)}

    def write(self, event: Event) -> bytes:
        """See `StreamWriter.write`."""
        return b"".join(map(write_event, self.events(event)))

    def count(self, used: TokenUsage) -> None:
        """See `StreamWriter.count`."""
        self._usage = used
        self._finished = None

    def closing(self, error: ApiError | None, request_id: str) -> bytes:
        """See `Meter.closing`."""
        response = self._failed_response(error) if error else self.response or self.finished_response()
        return write_event(self._numbered(f"response.{response['status']}", response=response))

    def _failed_response(self, error: ApiError) -> Mapping[str, Any]:
        """The response as far as it came. Nothing open is closed first: a call cut short must not look whole."""
        for part in self._parts.values():
            text = "".join(part.texts)
            if part.kind is ARGUMENTS:
                part.item.fields["arguments"] = text
            elif part.place is not None:
                part.place[part.kind.text] = text
        return failed_response(self._response, error, self._usage)

    def events(self, event: Event) -> Iterator[dict[str, Any]]:
        """The events for a neutral one."""
        if not self._started:
            self._started = True
            for name in ("response.created", "response.in_progress"):
                yield self._numbered(name, response={**self._response, "output": []})
        match event:
            case PartStarted():
                yield from self._start(event.index, event.part)
            case PartGrew():
                yield from self._grow(self._parts[event.index], event.text)
            case PartSigned():
                part = self._parts[event.index]
                part.signature = (part.signature or "") + event.signature
            case PartEnded():
                yield from self._end(self._parts.pop(event.index))
            case UsageReported():
                self._usage = larger(self._usage, event.usage)
            case ReplyStopped():
                yield from self._stop(event.stop)

    def _start(self, index: int, part: Part) -> Iterator[dict[str, Any]]:
        match part:
            case Text() | Refusal():
                self._refused = self._refused or isinstance(part, Refusal)
                item = yield from self._message()
                opened = _OpenPart(item, REFUSAL if isinstance(part, Refusal) else OUTPUT_TEXT, 0, part)
                yield from self._place(opened)
            case Thinking():
                item = yield from self._reasoning(part)
                kind = REASONING_TEXT if _own(part).get("type") == REASONING_TEXT.type else SUMMARY_TEXT
                opened = _OpenPart(item, kind, 0, part, signature=part.signature)
            case RedactedThinking():
                item = yield from self._open("reasoning", summary=[])
                opened = _OpenPart(item, SUMMARY_TEXT, 0, part)
            case ToolCall():
                item = yield from self._call(part)
                opened = _OpenPart(item, ARGUMENTS, 0, part)
            case _:
                raise AssertionError(f"a reply has no {type(part).__name__}")
        opened.item.open_parts += 1
        self._parts[index] = opened

    def _message(self) -> _Opening:
        last = self._items[-1] if self._items else None
        if last is not None and last.kind == "message":
            return last
        return (yield from self._open("message", status="in_progress", content=[], role="assistant"))

    def _reasoning(self, part: Thinking) -> _Opening:
        last = self._items[-1] if self._items else None
        if last is not None and last.kind == "reasoning" and _own(part).get("part"):
            return last
        return (yield from self._open("reasoning", summary=[]))

    def _call(self, call: ToolCall) -> _Opening:
        if content := carriers.content_before(call):
            carrier = yield from self._open("reasoning", summary=[])
            carrier.fields["encrypted_content"] = content
        return (
            yield from self._open("function_call", status="in_progress", arguments="", call_id=call.id, name=call.name)
        )

    def _open(self, kind: str, **fields: Any) -> _Opening:
        """A new item. The ones before it whose parts have ended are done."""
        yield from self._finish("completed")
        index = len(self._response["output"])
        item = _Item({"id": f"{_PREFIXES[kind]}_{self._frame.reply_id}{index:04x}", "type": kind, **fields}, index)
        self._items.append(item)
        self._response["output"].append(item.fields)
        yield self._numbered("response.output_item.added", output_index=index, item=_copy(item.fields))
        return item

    def _place(self, part: _OpenPart) -> Iterator[dict[str, Any]]:
        """A place for the part in the list of its item."""
        kind, places = part.kind, part.item.fields.setdefault(part.kind.place, [])
        part.index, part.place = len(places), kind.empty()
        places.append(part.place)
        yield self._of_part(part, f"{kind.part_events}.added", part=dict(part.place))

    def _grow(self, part: _OpenPart, text: str) -> Iterator[dict[str, Any]]:
        if part.place is None and part.kind is not ARGUMENTS:
            yield from self._place(part)
        part.texts.append(text)
        yield self._of_part(part, f"{part.kind.text_events}.delta", delta=text, **part.kind.more)

    def _end(self, part: _OpenPart) -> Iterator[dict[str, Any]]:
        part.item.open_parts -= 1
        text, kind = "".join(part.texts), part.kind
        if kind is ARGUMENTS:
            part.item.fields["arguments"] = text
            yield self._of_part(part, f"{kind.text_events}.done", arguments=text)
        elif part.place is not None:
            part.place[kind.text] = text
            yield self._of_part(part, f"{kind.text_events}.done", **{kind.text: text}, **kind.more)
            yield self._of_part(part, f"{kind.part_events}.done", part=dict(part.place))
        if content := _encrypted(part):
            part.item.fields["encrypted_content"] = content

    def _finish(self, status: str) -> Iterator[dict[str, Any]]:
        """The end of the items whose parts have ended."""
        for item in [item for item in self._items if not item.open_parts]:
            self._items.remove(item)
            if "status" in item.fields:
                item.fields["status"] = status
            yield self._numbered("response.output_item.done", output_index=item.index, item=_copy(item.fields))

    def _stop(self, stop: Stop) -> Iterator[dict[str, Any]]:
        filtered = stop is Stop.REFUSED and not self._refused
        reason = "max_output_tokens" if stop in _LIMITS else "content_filter" if filtered else None
        status = "incomplete" if reason else "completed"
        for index in [*self._parts]:
            yield from self._end(self._parts.pop(index))
        yield from self._finish(status)
        self._stopped = True
        self._response["status"] = status
        if reason:
            self._response["incomplete_details"] = {"reason": reason}
        else:
            self._response["completed_at"] = int(time.time())

    def _of_part(self, part: _OpenPart, name: str, /, **fields: Any) -> dict[str, Any]:
        place = {part.kind.index: part.index} if part.kind.index else {}
        item = part.item
        return self._numbered(name, item_id=item.fields["id"], output_index=item.index, **place, **fields)

    def _numbered(self, name: str, **fields: Any) -> dict[str, Any]:
        self._next_number += 1
        return {"type": name, "sequence_number": self._next_number - 1, **fields}


def _encrypted(part: _OpenPart) -> str | None:
    match part.part:
        case Thinking():
            return carriers.content_of(Thinking("", part.signature, part.part.extras))
        case RedactedThinking():
            return carriers.content_of(part.part)
        case _:
            return None


def _own(part: Thinking) -> Mapping[str, Any]:
    return part.extras.get("openai_responses", {})


def _copy(item: Mapping[str, Any]) -> dict[str, Any]:
    """An item as it is now: its lists grow later."""
    lists = {name: [dict(each) for each in item[name]] for name in ("content", "summary") if name in item}
    return {**item, **lists}
