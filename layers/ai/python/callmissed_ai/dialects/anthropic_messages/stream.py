"""A stream of messages that passes on as it is, but for `message_stop`, which is sent when the call is settled."""

from collections.abc import Callable, Iterator
from typing import Any

from callmissed.errors import ApiError
from callmissed_ai.dialects.anthropic_messages.reply_reader import EventReader
from callmissed_ai.dialects.anthropic_messages.reply_writer import closing, write_event, write_usage
from callmissed_ai.dialects.conversation import Event, ReplyFrame
from callmissed_ai.dialects.stream_meter import Passage
from callmissed_ai.dialects.stream_reader import MAX_EVENT_BYTES, UnreadableStream, json_object
from callmissed_ai.streams.sse import BYTE_ORDER_MARK, NULL, EventSplitter, data_of, name_of, split
from callmissed_ai.tokens.usage import TokenUsage

_DONE = b"[DONE]"
"""Some providers end their streams as those of the chat dialect end."""


class MessageStreamPassage:
    """Reads one stream on its way; implements `StreamPassage`.

    The model's name is the caller's, as its frame has it. A `message_delta` without usage waits until the call is
    settled, and is sent with what we counted.
    """

    def __init__(self, new_frame: Callable[[], ReplyFrame] | None = None) -> None:
        self.finished = False
        self._new_frame = new_frame
        self._splitter = EventSplitter()
        self._events = EventReader()
        self._waiting: list[tuple[bytes, dict[str, Any]]] = []
        self._counted: TokenUsage | None = None

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
        waiting = b"" if error else b"".join(event for event, _ in self._waiting)
        if waiting and self._counted:
            _, fields = self._waiting[-1]
            waiting = write_event("message_delta", delta=fields.get("delta"), usage=write_usage(self._counted))
        return waiting + closing(error, request_id)

    def count(self, used: TokenUsage) -> None:
        """See `StreamPassage.count`."""
        self._counted = used

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
        events = list(self._events.read(fields))
        if fields["type"] == "message_start" and self._new_frame and isinstance(fields.get("message"), dict):
            return events, _named(self._new_frame(), fields["message"])
        if fields["type"] == "message_delta" and not self._events.has_reported_end:
            self._waiting.append((event, fields))
            return events, b""
        if self._events.has_reported_end and self._waiting:
            event = b"".join([*(each for each, _ in self._waiting), event])
            self._waiting = []
        return events, b"" if self.finished else event


def _named(frame: ReplyFrame, message: dict[str, Any]) -> bytes:
    return write_event("message_start", message={**message, "model": frame.model})


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
