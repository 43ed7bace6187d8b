"""Replies that are translated: read in the upstream's dialect, written in the caller's."""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from callmissed.errors import ApiError
from callmissed_ai.charges import Charges
from callmissed_ai.dialects.conversation import Reply, written_text
from callmissed_ai.dialects.dialect import Charge
from callmissed_ai.dialects.json_reply import JsonReplyMeter
from callmissed_ai.dialects.output_bounds import OutputBounds
from callmissed_ai.dialects.stream_meter import Passage
from callmissed_ai.dialects.stream_reader import StreamReader, StreamWriter


class Translation:
    """Reads one stream and writes it in another dialect; implements `StreamPassage`."""

    def __init__(self, reader: StreamReader, writer: StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @property
    def finished(self) -> bool:
        """See `StreamPassage.finished`."""
        return self._reader.finished

    def feed(self, body: bytes) -> Iterator[Passage]:
        """See `StreamPassage.feed`."""
        for event in self._reader.feed(body):
            yield (event,), self._writer.write(event)

    def end(self) -> Iterator[Passage]:
        """See `StreamPassage.end`."""
        for event in self._reader.end():
            yield (event,), self._writer.write(event)

    @property
    def response(self) -> Mapping[str, Any] | None:
        """See `Meter.response`."""
        return self._writer.response

    def closing(self, error: ApiError | None, request_id: str) -> bytes:
        """See `Meter.closing`."""
        return self._writer.closing(error, request_id)


def translated_reply_meter(
    read: Callable[[Mapping[str, Any]], Reply],
    write: Callable[[Reply], Mapping[str, Any]],
    bounds: OutputBounds,
    charge: Charge,
) -> JsonReplyMeter:
    """A meter that reads one whole reply and writes it in another dialect."""

    def translated(_body: bytes, reply: Mapping[str, Any]) -> bytes:
        return json.dumps(write(read(reply)), ensure_ascii=False, separators=(",", ":")).encode()

    return reply_meter(translated, read, bounds, charge)


def reply_meter(
    passed: Callable[[bytes, dict[str, Any]], bytes],
    read: Callable[[Mapping[str, Any]], Reply],
    bounds: OutputBounds,
    charge: Charge,
) -> JsonReplyMeter:
    """A meter that passes on what `passed` makes of one whole reply, and charges for what `read` finds in it."""

    async def charges(reply: Mapping[str, Any]) -> Charges:
        found = read(reply)
        return await charge(found.usage, lambda: "" if found.usage else written_text(found.parts))

    return JsonReplyMeter(passed, charges, bounds.body_bytes)
