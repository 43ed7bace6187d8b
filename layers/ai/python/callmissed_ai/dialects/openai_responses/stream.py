"""A stream of responses that passes on as it is, but for what only the gateway knows of the response.

The last event is sent when the call is settled.
"""

from collections.abc import Iterator, Mapping
from typing import Any, cast

from callmissed.errors import ApiError
from callmissed_ai.dialects.conversation import Event, ReplyFrame, UsageReported
from callmissed_ai.dialects.openai_responses.reply_reader import FINAL, ItemReader
from callmissed_ai.dialects.openai_responses.reply_writer import write_event
from callmissed_ai.dialects.openai_responses.response_object import begun_response, failed_response, gateway_fields
from callmissed_ai.dialects.openai_responses.usage import write_usage
from callmissed_ai.dialects.stream_meter import Passage
from callmissed_ai.dialects.stream_reader import MAX_EVENT_BYTES, UnreadableStream, json_object
from callmissed_ai.streams.sse import BYTE_ORDER_MARK, NULL, EventSplitter, data_of, split
from callmissed_ai.tokens.usage import TokenUsage

_EVENTS_WITH_RESPONSE = ("response.created", "response.queued", "response.in_progress", *FINAL)
"""Events that repeat the whole response. Their names are compared, not looked up, as an upstream sends any JSON."""


class ResponseStreamReader:
    """Reads one stream; implements `StreamReader`."""

    def __init__(self, *, lenient: bool = False) -> None:
        self.finished = False
        self._splitter = EventSplitter()
        self._events = ItemReader(lenient=lenient)

    def feed(self, body: bytes) -> Iterator[Event]:
        """See `StreamReader.feed`."""
        for _, _, events in self.feed_whole(body):
            yield from events

    def end(self) -> Iterator[Event]:
        """See `StreamReader.end`."""
        for _, _, events in self.end_whole():
            yield from events

    def feed_whole(self, body: bytes) -> Iterator[tuple[bytes, dict[str, Any], list[Event]]]:
        """The events that `body` completes: their bytes, their fields and what they mean. Raises UnreadableStream."""
        for event in split(self._splitter.feed(body)):
            if not self.finished:
                yield self._read(event)
        if self._splitter.pending_bytes > MAX_EVENT_BYTES:
            raise UnreadableStream("an event without end")

    def end_whole(self) -> Iterator[tuple[bytes, dict[str, Any], list[Event]]]:
        """The event that the end of the body completes. Raises UnreadableStream where the reply is not complete."""
        rest = self._splitter.rest()
        if not self.finished and data_of(rest):
            yield self._read(rest.rstrip(b"\r\n") + b"\n\n")
        if not self.finished:
            raise UnreadableStream("no response.completed")

    def _read(self, event: bytes) -> tuple[bytes, dict[str, Any], list[Event]]:
        event = event.removeprefix(BYTE_ORDER_MARK)
        data = data_of(event)
        if data in (b"", b"[DONE]", NULL):
            return b"" if data else event, {}, []
        fields = json_object(data)
        events = list(self._events.read(fields))
        self.finished = self._events.has_stopped
        return event, fields, events


class ResponseStreamPassage:
    """Reads one stream on its way; implements `StreamPassage`."""

    def __init__(self, frame: ReplyFrame) -> None:
        self.response: dict[str, Any] | None = None
        self._frame = frame
        self._reader = ResponseStreamReader(lenient=True)
        self._begun: Mapping[str, Any] = begun_response(frame)
        self._items: dict[int, Any] = {}
        self._usage: TokenUsage | None = None
        self._last: dict[str, Any] = {}
        self._number = -1

    @property
    def finished(self) -> bool:
        """See `StreamPassage.finished`."""
        return self._reader.finished

    def feed(self, body: bytes) -> Iterator[Passage]:
        """See `StreamPassage.feed`."""
        for event, fields, events in self._reader.feed_whole(body):
            yield events, self._passed(event, fields, events)

    def end(self) -> Iterator[Passage]:
        """See `StreamPassage.end`."""
        for event, fields, events in self._reader.end_whole():
            yield events, self._passed(event, fields, events)

    def count(self, used: TokenUsage) -> None:
        """See `StreamPassage.count`."""
        self._usage = used
        if self.response is not None:
            self.response["usage"] = write_usage(used)

    def closing(self, error: ApiError | None, request_id: str) -> bytes:
        """See `Meter.closing`."""
        if error is None:
            return write_event(self._last)
        response = failed_response({**self._begun, "output": self._output()}, error, self._usage)
        number = self._number if self._last else self._number + 1
        return write_event({"type": "response.failed", "sequence_number": number, "response": response})

    def _output(self) -> list[Any]:
        """The items so far."""
        return [item for _, item in sorted(self._items.items()) if isinstance(item, dict)]

    def _passed(self, event: bytes, fields: dict[str, Any], events: list[Event]) -> bytes:
        number, kind = fields.get("sequence_number"), fields.get("type")
        self._number = number if isinstance(number, int) else self._number + bool(fields)
        if kind in ("response.output_item.added", "response.output_item.done"):
            self._items[fields["output_index"]] = fields.get("item")
        if kind not in _EVENTS_WITH_RESPONSE or not isinstance(fields.get("response"), dict):
            return event
        response = cast("dict[str, Any]", fields["response"]) | gateway_fields(self._frame)
        written = fields | {"response": response}
        if kind not in FINAL:
            self._begun = response
            return write_event(written)
        if not isinstance(response.get("output"), list):
            response["output"] = self._output()
        self._usage = next((each.usage for each in events if isinstance(each, UsageReported)), None)
        self.response, self._last = response, written
        return b""
