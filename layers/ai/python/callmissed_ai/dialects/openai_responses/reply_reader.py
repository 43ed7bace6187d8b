"""From a response, whole or streamed, to the neutral reply."""

from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, field
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
from callmissed_ai.dialects.openai_responses.kinds import ARGUMENTS, KINDS, ContentKind
from callmissed_ai.dialects.openai_responses.usage import read_usage
from callmissed_ai.dialects.stream_reader import UnreadableStream

FINAL = frozenset({"response.completed", "response.incomplete"})
"""Events that end a reply."""

_REPORTED = "the upstream reports a failure"
_DELTAS: Mapping[object, ContentKind] = {f"{kind.text_events}.delta": kind for kind in (*KINDS, ARGUMENTS)}
_DONE: Mapping[object, ContentKind] = {f"{kind.text_events}.done": kind for kind in (*KINDS, ARGUMENTS)}
_BY_TYPE: Mapping[object, ContentKind] = {kind.type: kind for kind in KINDS}
_PLACES: Mapping[str, tuple[str, ...]] = {"message": ("content",), "reasoning": ("summary", "content")}
"""Lists of an item that hold its content, by the item's type."""

_REASONS: Mapping[object, Stop] = {"max_output_tokens": Stop.LIMIT, "content_filter": Stop.REFUSED}


def read_reply(reply: Mapping[str, Any], *, lenient: bool = False) -> Reply:
    """A whole response. Raises UnusableReply for what is none, or has failed; `lenient` as in `ItemReader`."""
    if not isinstance(reply.get("output"), list) or reply.get("status") not in ("completed", "incomplete"):
        raise UnusableReply("no completed response")
    try:
        return whole_reply(ItemReader(lenient=lenient).read({"type": "response.completed", "response": reply}))
    except UnreadableStream as error:
        raise UnusableReply(str(error)) from None


@dataclass(slots=True)
class _Part:
    """A part that was begun; `length` is that of its text so far."""

    index: int
    kind: ContentKind
    length: int = 0
    ended: bool = False


@dataclass(slots=True)
class _Item:
    """An item that was begun, with its parts by their list and position."""

    fields: Mapping[str, Any]
    parts: dict[tuple[str, int], _Part] = field(default_factory=dict[tuple[str, int], _Part])
    done: bool = False

    @property
    def open_part(self) -> _Part | None:
        """The part that has not ended."""
        return next((part for part in self.parts.values() if not part.ended), None)


_Reading = Generator[Event, None, _Part]


class ItemReader:
    """Reads the events of one stream.

    A part is what its deltas add up to, and what the events that end it have beyond that. Where `lenient`, items of
    types that we don't know are left unread, as in a reply that passes on as it is.
    """

    def __init__(self, *, lenient: bool = False) -> None:
        self.has_stopped = False
        self._lenient = lenient
        self._items: dict[int, _Item] = {}
        self._next = 0
        self._calls = False
        self._refused = False

    def read(self, fields: Mapping[str, Any]) -> Iterator[Event]:
        """The neutral events of one event. Raises UnreadableStream for an error."""
        kind = _text(fields.get("type"))
        if kind in _DELTAS:
            yield from self._grow(fields, _DELTAS[kind])
        elif kind in _DONE:
            yield from self._complete_text(fields, _DONE[kind])
        elif kind == "response.output_item.added":
            yield from self._add(_index(fields, "output_index"), _object(fields.get("item")))
        elif kind == "response.output_item.done":
            yield from self._complete_item(_index(fields, "output_index"), _object(fields.get("item")))
        elif kind in FINAL:
            yield from self._stop(_object(fields.get("response")))
        elif kind in ("response.failed", "error"):
            raise UnreadableStream(_REPORTED)

    def _add(self, index: int, fields: Mapping[str, Any]) -> Iterator[Event]:
        item = self._items[index] = _Item(fields)
        match fields.get("type"):
            case "function_call":
                self._calls = True
                call = ToolCall(_text(fields.get("call_id")), _text(fields.get("name")), "")
                yield from self._start(item, ARGUMENTS, 0, call)
            case "message" | "reasoning":
                pass
            case _ if not self._lenient:
                raise UnreadableStream("an item of an unknown type")
            case _:
                pass

    def _grow(self, fields: Mapping[str, Any], kind: ContentKind) -> Iterator[Event]:
        text = _text(fields.get("delta"))
        part = yield from self._part(fields, kind)
        if text and not part.ended:
            part.length += len(text)
            yield PartGrew(part.index, text)

    def _complete_text(self, fields: Mapping[str, Any], kind: ContentKind) -> Iterator[Event]:
        part = yield from self._part(fields, kind)
        yield from _rest(part, _text(fields.get(kind.text)))
        if kind.place != "summary" and kind.type != "reasoning_text":  # a thought ends with its item, which signs it
            yield from _ended(part)

    def _complete_item(self, index: int, fields: Mapping[str, Any]) -> Iterator[Event]:
        if index not in self._items:
            yield from self._add(index, fields)
        item = self._items[index]
        if item.done:
            return
        if item.fields.get("type") == "function_call":
            part = item.parts["", 0]
            yield from _rest(part, _text(fields.get("arguments")))
            yield from _ended(part)
        else:
            yield from self._complete_content(item, fields)
        item.done = True

    def _complete_content(self, item: _Item, fields: Mapping[str, Any]) -> Iterator[Event]:
        for place in _PLACES.get(_text(item.fields.get("type")), ()):
            for position, content in enumerate(_objects(fields.get(place))):
                if kind := _BY_TYPE.get(_text(content.get("type"))):
                    part = yield from self._part_of(item, kind, position)
                    yield from _rest(part, _text(content.get(kind.text)))
        encrypted = _text(fields.get("encrypted_content"))
        if encrypted and not item.parts:
            part = yield from self._start(item, ARGUMENTS, 0, RedactedThinking(encrypted, _thought(item.fields)))
        elif encrypted and (last := item.open_part):
            yield PartSigned(last.index, encrypted)
        for part in item.parts.values():
            yield from _ended(part)

    def _part(self, fields: Mapping[str, Any], kind: ContentKind) -> _Reading:
        """The part that an event is about, which may begin with it."""
        index = _index(fields, "output_index")
        if index not in self._items:
            if kind is ARGUMENTS:
                raise UnreadableStream("arguments of an unknown call")
            thought = kind.type in ("summary_text", "reasoning_text")
            self._items[index] = _Item(
                {**fields, "id": fields.get("item_id"), "type": "reasoning" if thought else "message"}
            )
        return (yield from self._part_of(self._items[index], kind, _index(fields, kind.index) if kind.index else 0))

    def _part_of(self, item: _Item, kind: ContentKind, position: int) -> _Reading:
        if found := item.parts.get((kind.place, position)):
            return found
        if kind is ARGUMENTS or item.done:
            raise UnreadableStream("a text that belongs to no item")
        return (yield from self._start(item, kind, position, self._empty(item, kind)))

    def _empty(self, item: _Item, kind: ContentKind) -> Part:
        match kind.type:
            case "output_text":
                return Text("")
            case "refusal":
                self._refused = True
                return Refusal("")
            case _:
                return Thinking("", extras=_thought(item.fields, type=kind.type, part=len(item.parts)))

    def _start(self, item: _Item, kind: ContentKind, position: int, part: Part) -> _Reading:
        if earlier := item.open_part:
            yield from _ended(earlier)
        started = item.parts[kind.place, position] = _Part(self._next, kind)
        self._next += 1
        yield PartStarted(started.index, part)
        return started

    def _stop(self, response: Mapping[str, Any]) -> Iterator[Event]:
        """The end of the reply. Its items are read where they were not streamed."""
        if not response:
            raise UnreadableStream("an end without its response")
        if not self._items:
            for index, item in enumerate(_objects(response.get("output"))):
                yield from self._complete_item(index, item)
        for item in self._items.values():
            for part in item.parts.values():
                yield from _ended(part)
        if usage := read_usage(response.get("usage")):
            yield UsageReported(usage)
        self.has_stopped = True
        yield ReplyStopped(self._reason(response))

    def _reason(self, response: Mapping[str, Any]) -> Stop:
        if response.get("status") == "incomplete":
            return _REASONS.get(_text(_object(response.get("incomplete_details")).get("reason")), Stop.LIMIT)
        return Stop.REFUSED if self._refused else Stop.TOOL_CALLS if self._calls else Stop.END


def _rest(part: _Part, whole: str) -> Iterator[Event]:
    """What the whole text has beyond the deltas."""
    if not part.ended and len(whole) > part.length:
        rest, part.length = whole[part.length :], len(whole)
        yield PartGrew(part.index, rest)


def _ended(part: _Part) -> Iterator[Event]:
    if not part.ended:
        part.ended = True
        yield PartEnded(part.index)


def _thought(item: Mapping[str, Any], **fields: Any) -> Extras:
    """What a thought needs to return to its provider."""
    item_id = item.get("id")
    return {"openai_responses": ({"id": item_id} if isinstance(item_id, str) else {}) | fields}


def _object(value: object) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _objects(value: object) -> list[dict[str, Any]]:
    return [_object(each) for each in cast("list[object]", value)] if isinstance(value, list) else []


def _index(fields: Mapping[str, Any], name: str) -> int:
    index = fields.get(name, 0 if name != "output_index" else None)
    if not isinstance(index, int) or isinstance(index, bool):
        raise UnreadableStream("an event without index")
    return index


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
