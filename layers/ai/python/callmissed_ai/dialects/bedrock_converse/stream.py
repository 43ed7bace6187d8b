"""A stream of Converse; implements `StreamReader`."""

from collections.abc import Iterator
from typing import Any

from botocore.eventstream import EventStreamMessage

from callmissed_ai.dialects.bedrock_converse.event_stream import FrameSplitter
from callmissed_ai.dialects.bedrock_converse.reply_reader import ConverseEventReader
from callmissed_ai.dialects.conversation import Event
from callmissed_ai.dialects.stream_reader import UnreadableStream, json_object


class ConverseStreamReader:
    """Reads one stream."""

    def __init__(self) -> None:
        self._frames = FrameSplitter()
        self._events = ConverseEventReader()

    @property
    def finished(self) -> bool:
        """See `StreamReader.finished`."""
        return self._events.is_over

    def feed(self, body: bytes) -> Iterator[Event]:
        """See `StreamReader.feed`."""
        for frame in self._frames.feed(body):
            if self.finished:
                return
            yield from self._events.read(*_event(frame))

    def end(self) -> Iterator[Event]:
        """See `StreamReader.end`."""
        if not self.finished and self._frames.has_rest:
            raise UnreadableStream("a frame that is cut off")
        yield from self._events.end()


def _event(frame: EventStreamMessage) -> tuple[str, dict[str, Any]]:
    """Name and fields of an event. Raises UnreadableStream for an exception."""
    headers: Any = frame.headers
    if headers.get(":message-type") != "event":
        kind = headers.get(":exception-type") or headers.get(":error-code") or "?"
        raise UnreadableStream(f"the upstream reports {kind}")
    return str(headers.get(":event-type")), json_object(frame.payload)
