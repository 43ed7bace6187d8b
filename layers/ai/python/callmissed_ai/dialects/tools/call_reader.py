"""Tool calls in the chunks of a stream.

Providers repeat an index for another call, leave indices and ids out, send a name after its id or in pieces, and repeat
a whole call at its end. A call begins when its name is complete, which arguments after it show. One that is followed by
another ends there when its arguments are whole, else with the reply.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from callmissed_ai.dialects.conversation import Event, Extras, PartEnded, PartGrew, PartStarted, ToolCall
from callmissed_ai.dialects.stream_reader import UnreadableStream
from callmissed_ai.dialects.tool_arguments import arguments_object

_NO_ARGUMENTS = "{}"


@dataclass(slots=True)
class _Call:
    """A call so far. `part` is its number among the parts, None until it begins."""

    given_id: object = None
    name: str = ""
    arguments: str = ""
    extra: object = None
    part: int | None = None
    ended: bool = False
    pieces: list[str] = field(default_factory=list[str])
    """Arguments that no event has said yet."""

    @property
    def is_whole(self) -> bool:
        """Whether the arguments are a JSON object already."""
        return self.arguments.rstrip().endswith("}") and arguments_object(self.arguments) is not None


class CallReader:
    """Reads the calls of one reply; `take_index` numbers its parts."""

    def __init__(self, take_index: Callable[[], int]) -> None:
        self._take_index = take_index
        self._calls: dict[int, _Call] = {}
        self._ids: set[str] = set()

    @property
    def has_calls(self) -> bool:
        """Whether a call has begun."""
        return bool(self._ids)

    def read(self, call: Mapping[str, Any], number: int) -> Iterator[Event]:
        """The events of a piece of a call, which is the one with that `number` in its chunk."""
        found: Any = call.get("function")
        function = cast("dict[str, Any]", found) if isinstance(found, dict) else {}
        name, text = _text(function.get("name")), _arguments(function.get("arguments"))
        slot = self._slot(call, number, name)
        known = self._calls.get(slot)
        if known and _is_repeated(known, call, name, text):
            return
        if known is None or _is_another(known, call, name):
            yield from self._ended_before(slot)
            known = self._calls[slot] = _Call()
        yield from self._grown(known, call, name, text)

    def end(self) -> Iterator[Event]:
        """The events at the end of the reply. Raises UnreadableStream for a call without name."""
        for call in self._calls.values():
            yield from self._ended(call)

    def _slot(self, call: Mapping[str, Any], number: int, name: str) -> int:
        """The place of a call: its index, and without one, for more of a call, that of the same id or the last one."""
        index = call.get("index")
        if isinstance(index, int):
            return index
        if not name and self._calls:
            of_id = (slot for slot, known in self._calls.items() if known.given_id == call.get("id"))
            return next(of_id, next(reversed(self._calls)))
        return number

    def _grown(self, known: _Call, call: Mapping[str, Any], name: str, text: str) -> Iterator[Event]:
        if known.ended and text.strip():
            raise UnreadableStream("a call that goes on after its end")
        known.given_id = known.given_id or call.get("id")
        known.extra = known.extra or call.get("extra_content")
        if known.part is None and name != known.name:
            known.name += name
        if text and not known.ended:
            known.arguments += text
            known.pieces.append(text)
            yield from self._begun()

    def _begun(self) -> Iterator[Event]:
        """What may be said of the calls by now, in their order."""
        for call in self._calls.values():
            if call.name and not call.ended:
                yield from self._said(call)

    def _said(self, call: _Call) -> Iterator[Event]:
        if call.part is None:
            call.part = self._take_index()
            extras: Extras = {"openai_chat": {"extra_content": call.extra}} if call.extra else {}
            yield PartStarted(call.part, ToolCall(self._unique_id(call, call.part), call.name, "", extras))
        for text in call.pieces:
            yield PartGrew(call.part, text)
        call.pieces.clear()

    def _unique_id(self, call: _Call, part: int) -> str:
        given = call.given_id
        usable = isinstance(given, str) and given and given not in self._ids
        found = cast("str", given) if usable else f"call_{part}"
        self._ids.add(found)
        return found

    def _ended_before(self, slot: int) -> Iterator[Event]:
        """The end of the call in whose place another one begins, and of those that are whole."""
        if replaced := self._calls.pop(slot, None):
            yield from self._ended(replaced)
        for earlier in self._calls.values():
            if earlier.is_whole:
                yield from self._ended(earlier)

    def _ended(self, call: _Call) -> Iterator[Event]:
        if call.ended or not (call.name or call.arguments):
            return
        if not call.name:
            raise UnreadableStream("a call without name")
        if not call.arguments.strip():
            call.pieces = [_NO_ARGUMENTS]
        yield from self._said(call)
        call.ended = True
        yield PartEnded(cast("int", call.part))


def _is_another(known: _Call, call: Mapping[str, Any], name: str) -> bool:
    """Whether a call in the place of a `known` one is a new one: with another id, or after the known one is whole."""
    if not name:
        return False
    given = call.get("id")
    if given and known.given_id and given != known.given_id:
        return True
    return known.is_whole


def _is_repeated(known: _Call, call: Mapping[str, Any], name: str, text: str) -> bool:
    """Whether a call of a known id comes once more as a whole."""
    given = call.get("id")
    return bool(name and given and given == known.given_id and known.is_whole) and text in ("", known.arguments)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _arguments(value: object) -> str:
    """Arguments as JSON text; some providers send the object itself."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else _text(value)
