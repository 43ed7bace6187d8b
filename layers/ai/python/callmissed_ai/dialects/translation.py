"""Replies that are translated: read in the upstream's dialect, written in the caller's."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from callmissed.errors import ApiError
from callmissed_ai.charges import Charges
from callmissed_ai.dialects.conversation import Event, PartEnded, PartGrew, PartStarted, Reply, written_text
from callmissed_ai.dialects.dialect import Charge
from callmissed_ai.dialects.json_reply import JsonReplyMeter, WriteUsage
from callmissed_ai.dialects.output_bounds import OutputBounds
from callmissed_ai.dialects.stream_meter import Passage
from callmissed_ai.dialects.stream_reader import StreamReader, StreamWriter
from callmissed_ai.dialects.tools.names import with_given_name
from callmissed_ai.dialects.written_json import ends_in_half, with_whole_characters, written_json
from callmissed_ai.tokens.usage import TokenUsage

NO_NAMES: Mapping[str, str] = {}
"""Names of tools where the upstream has the caller's."""


class Translation:
    """Reads one stream and writes it in another dialect; implements `StreamPassage`.

    `names` are the caller's of tools, by those that the upstream has.
    """

    def __init__(self, reader: StreamReader, writer: StreamWriter, names: Mapping[str, str] = NO_NAMES) -> None:
        self._reader = reader
        self._writer = writer
        self._names = names
        self._halves: dict[int, str] = {}
        """First halves of surrogate pairs at the ends of parts."""

    @property
    def finished(self) -> bool:
        """See `StreamPassage.finished`."""
        return self._reader.finished

    def feed(self, body: bytes) -> Iterator[Passage]:
        """See `StreamPassage.feed`."""
        for event in self._reader.feed(body):
            yield from self._written(event)

    def end(self) -> Iterator[Passage]:
        """See `StreamPassage.end`."""
        for event in self._reader.end():
            yield from self._written(event)

    def _written(self, event: Event) -> Iterator[Passage]:
        if isinstance(event, PartGrew) and (self._halves or not event.text.isascii()):
            text = self._halves.pop(event.index, "") + event.text
            if ends_in_half(text):
                self._halves[event.index], text = text[-1], text[:-1]
            if not text:
                return
            event = PartGrew(event.index, with_whole_characters(text))
        elif isinstance(event, PartStarted):
            event = PartStarted(event.index, with_given_name(event.part, self._names))
        elif isinstance(event, PartEnded) and (half := self._halves.pop(event.index, "")):
            yield self._passage(PartGrew(event.index, with_whole_characters(half)))
        yield self._passage(event)

    def _passage(self, event: Event) -> Passage:
        return (event,), self._writer.write(event)

    def count(self, used: TokenUsage) -> None:
        """See `StreamPassage.count`."""
        self._writer.count(used)

    @property
    def response(self) -> dict[str, Any] | None:
        """See `Meter.response`."""
        return self._writer.response

    def closing(self, error: ApiError | None, request_id: str) -> bytes:
        """See `Meter.closing`."""
        return self._writer.closing(error, request_id)


def translated_reply_meter(
    read: Callable[[Mapping[str, Any]], Reply],
    write: Callable[[Reply], Mapping[str, Any]],
    names: Mapping[str, str],
    bounds: OutputBounds,
    charge: Charge,
    write_usage: WriteUsage,
) -> JsonReplyMeter:
    """A meter that reads one whole reply and writes it in another dialect. `names` are the caller's of tools."""

    def translated(_body: bytes, reply: Mapping[str, Any]) -> bytes:
        found = read(reply)
        parts = tuple(with_given_name(part, names) for part in found.parts)
        return written_json(write(replace(found, parts=parts)))

    return reply_meter(translated, read, bounds, charge, write_usage)


def reply_meter(
    passed: Callable[[bytes, dict[str, Any]], bytes],
    read: Callable[[Mapping[str, Any]], Reply],
    bounds: OutputBounds,
    charge: Charge,
    write_usage: WriteUsage,
) -> JsonReplyMeter:
    """A meter that passes on what `passed` makes of one whole reply, and charges for what `read` finds in it."""

    async def charges(reply: Mapping[str, Any]) -> Charges:
        found = read(reply)
        return await charge(found.usage, lambda: "" if found.usage else written_text(found.parts))

    return JsonReplyMeter(passed, charges, bounds.body_bytes, write_usage)
