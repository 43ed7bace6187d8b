"""Meters of replies that are translated: read in the upstream's dialect, written in the caller's. Implement `Meter`."""

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from callmissed_ai.charges import Charges
from callmissed_ai.dialects.conversation import (
    Event,
    PartGrew,
    PartStarted,
    Reply,
    ReplyStopped,
    ToolCall,
    UsageReported,
    written_text,
)
from callmissed_ai.dialects.dialect import Charge
from callmissed_ai.dialects.json_reply import JsonReplyMeter
from callmissed_ai.dialects.output_bounds import OutputBounds
from callmissed_ai.dialects.stream_reader import StreamReader, StreamWriter, UnreadableStream
from callmissed_ai.tokens.usage import TokenUsage, larger

_RUNAWAY = "a reply far above its output limit"
_NEVER_BEGUN = "no reply in the stream"


class TranslatedStreamMeter:
    """Reads one stream and writes it in another dialect."""

    def __init__(self, reader: StreamReader, writer: StreamWriter, bounds: OutputBounds, charge: Charge) -> None:
        self.usage: TokenUsage | None = None
        self.begun = False
        self.broken = ""
        self._reader = reader
        self._writer = writer
        self._bounds = bounds
        self._charge = charge
        self._body_bytes = 0
        self._characters = 0
        self._unreported: list[str] = []

    @property
    def finished(self) -> bool:
        """See `Meter.finished`."""
        return self._reader.finished and not self.broken

    @property
    def runaway(self) -> bool:
        """See `Meter.runaway`."""
        return self.broken == _RUNAWAY

    def feed(self, chunk: bytes) -> bytes:
        """See `Meter.feed`."""
        self._body_bytes += len(chunk)
        if self._body_bytes > self._bounds.body_bytes:
            self.broken = self.broken or _RUNAWAY
        return self._written(self._reader.feed(chunk))

    def end(self) -> bytes:
        """See `Meter.end`."""
        passed = self._written(self._reader.end())
        if not (self.finished or self.broken):
            self.broken = _NEVER_BEGUN
        return passed

    async def charges(self) -> Charges:
        """See `Meter.charges`."""
        return await self._charge(self.usage, lambda: "".join(self._unreported))

    def _written(self, events: Iterable[Event]) -> bytes:
        written: list[bytes] = []
        try:
            for event in events:
                if self.broken:
                    break
                self._count(event)
                written.append(self._writer.write(event))
        except UnreadableStream as error:
            self.broken = str(error)
        return b"".join(written)

    def _count(self, event: Event) -> None:
        match event:
            case PartGrew():
                self.begun = True
                self._count_text(event.text)
            case PartStarted(part=ToolCall(name=name)):
                self.begun = True
                self._count_text(name)
            case ReplyStopped():
                self.begun = True
            case UsageReported():
                self._report(event.usage)
            case _:
                pass

    def _count_text(self, text: str) -> None:
        self._characters += len(text)
        self._unreported.append(text)
        if self._characters > self._bounds.characters:
            self.broken = _RUNAWAY

    def _report(self, usage: TokenUsage) -> None:
        """Take a report of usage. It covers all that was written before, unless an earlier one says more."""
        if self.usage is None or usage.output >= self.usage.output:
            self._unreported.clear()
        self.usage = larger(self.usage, usage)


def translated_reply_meter(
    read: Callable[[Mapping[str, Any]], Reply],
    write: Callable[[Reply], Mapping[str, Any]],
    bounds: OutputBounds,
    charge: Charge,
) -> JsonReplyMeter:
    """Reads one whole reply and writes it in another dialect."""
    found: list[Reply] = []

    def translated(_body: bytes, reply: Mapping[str, Any]) -> bytes:
        found.append(read(reply))
        return json.dumps(write(found[0]), ensure_ascii=False, separators=(",", ":")).encode()

    async def charges(_reply: Mapping[str, Any]) -> Charges:
        (reply,) = found
        return await charge(reply.usage, lambda: "" if reply.usage else written_text(reply.parts))

    return JsonReplyMeter(translated, charges, bounds.body_bytes)
