"""A streamed transcription: OpenAI's events `transcript.text.delta`, `.segment` and `.done`, read on their way through.

https://developers.openai.com/api/reference/resources/audio/subresources/transcriptions/streaming-events
"""

from collections.abc import Mapping
from typing import Any, cast

from callmissed.errors import ApiError
from callmissed_ai.charges import Charges
from callmissed_ai.dialects.openai_chat.stream import closing
from callmissed_ai.dialects.output_bounds import MAX_BODY_BYTES
from callmissed_ai.dialects.strict_json import read_strictly
from callmissed_ai.dialects.written_json import written_json
from callmissed_ai.streams.sse import EventSplitter, data_of, split

_BEGINNINGS = frozenset({"transcript.text.delta", "transcript.text.segment"})
_DONE = "transcript.text.done"
_TOO_LONG = "a stream that is too long"


class TranscriptStreamMeter:
    """Passes the events on; implements `Meter`. The audio is paid for once a part of its text has come.

    The last event says what is billed, whatever the provider counts.
    """

    def __init__(self, charged: Charges, usage: Mapping[str, Any]) -> None:
        self.begun = False
        self.finished = False
        self.broken = ""
        self._charged = charged
        self._usage = usage
        self._splitter = EventSplitter()
        self._bytes = 0

    @property
    def runaway(self) -> bool:
        """See `Meter.runaway`."""
        return self.broken == _TOO_LONG

    @property
    def response(self) -> dict[str, Any] | None:
        """See `Meter.response`: nothing is stored."""
        return None

    def feed(self, chunk: bytes) -> bytes:
        """See `Meter.feed`."""
        self._bytes += len(chunk)
        if self._bytes > MAX_BODY_BYTES:
            self.broken = _TOO_LONG
            return b""
        return self._passed(self._splitter.feed(chunk))

    def end(self) -> bytes:
        """See `Meter.end`."""
        passed = self._passed(self._splitter.rest())
        if not self.finished and not self.broken:
            self.broken = "the stream ended without its last event"
        return passed

    async def charges(self) -> Charges:
        """See `Meter.charges`."""
        return self._charged

    def final(self, body: bytes) -> bytes:
        """See `Meter.final`."""
        return body

    def closing(self, error: ApiError | None, request_id: str) -> bytes:
        """Nothing after the last event of a whole transcription, else the error."""
        return closing(error, request_id) if error else b""

    def _passed(self, events: bytes) -> bytes:
        passed = bytearray()
        for event in split(events):
            if self.broken or self.finished:
                break
            passed += self._event(data_of(event))
        return bytes(passed)

    def _event(self, data: bytes) -> bytes:
        """What to pass on for an event's data."""
        if not data or data == b"[DONE]":
            return b""
        try:
            read = read_strictly(data)
        except ValueError:
            read = None
        event = cast("dict[str, Any]", read) if isinstance(read, dict) else {}
        kind = str(event.get("type", ""))
        if not kind.startswith("transcript."):
            self.broken = "an event that is none of a transcription"
            return b""
        self.begun = self.begun or kind in _BEGINNINGS or kind == _DONE
        if kind == _DONE:
            self.finished = True
            event = {**event, "usage": self._usage}
        return b"data: " + written_json(event) + b"\n\n"
