"""A stream of messages that passes on as it is, but for `message_stop`, which is sent when the call is settled."""

from collections.abc import Iterator

from callmissed.errors import ApiError
from callmissed_ai.dialects.anthropic_messages.reply_reader import EventReader
from callmissed_ai.dialects.anthropic_messages.reply_writer import closing
from callmissed_ai.dialects.conversation import Event
from callmissed_ai.dialects.stream_meter import Passage
from callmissed_ai.dialects.stream_reader import MAX_EVENT_BYTES, UnreadableStream, json_object
from callmissed_ai.streams.sse import BYTE_ORDER_MARK, NULL, EventSplitter, data_of, name_of, split

_DONE = b"[DONE]"
"""Some providers end their streams as those of the chat dialect end."""


class MessageStreamPassage:
    """Reads one stream on its way; implements `StreamPassage`."""

    def __init__(self) -> None:
        self.finished = False
        self._splitter = EventSplitter()
        self._events = EventReader()

    def feed(self, body: bytes) -> Iterator[Passage]:
        """See `StreamPassage.feed`."""
        for event in split(self._splitter.feed(body)):
            if not self.finished:
                yield self._passage(event)
        if self._splitter.pending_bytes > MAX_EVENT_BYTES:
            raise UnreadableStream("an event without end")

    def end(self) -> Iterator[Passage]:
        """See `StreamPassage.end`."""
        rest = self._splitter.rest()
        if not self.finished and data_of(rest):
            yield self._passage(rest.rstrip(b"\r\n") + b"\n\n")
        if self.finished:
            return
        if not self._events.has_stopped:
            raise UnreadableStream("no message_stop")
        self.finished = True
        yield list(self._events.ended()), b""

    @property
    def response(self) -> None:
        """See `Meter.response`."""

    def closing(self, error: ApiError | None, request_id: str) -> bytes:
        """See `Meter.closing`."""
        return closing(error, request_id)

    def _passage(self, event: bytes) -> Passage:
        event = event.removeprefix(BYTE_ORDER_MARK)
        data = data_of(event)
        if not data:
            return (), event
        if data in (_DONE, NULL):
            return (), b""
        fields = json_object(data)
        if "type" not in fields:
            fields["type"] = name_of(event).decode(errors="replace")
        self.finished = fields["type"] == "message_stop"
        return list(self._events.read(fields)), b"" if self.finished else event


class MessageStreamReader:
    """Reads one stream; implements `StreamReader`."""

    def __init__(self) -> None:
        self._passage = MessageStreamPassage()

    @property
    def finished(self) -> bool:
        """See `StreamReader.finished`."""
        return self._passage.finished

    def feed(self, body: bytes) -> Iterator[Event]:
        """See `StreamReader.feed`."""
        for events, _ in self._passage.feed(body):
            yield from events

    def end(self) -> Iterator[Event]:
        """See `StreamReader.end`."""
        for events, _ in self._passage.end():
            yield from events
