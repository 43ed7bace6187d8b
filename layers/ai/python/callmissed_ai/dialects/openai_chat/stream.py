"""A chat stream: passed on as it is, read only for what billing needs. It ends with `data: [DONE]`."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

from callmissed.errors import ApiError, envelope
from callmissed_ai.charges import Charges
from callmissed_ai.dialects.conversation import ReplyFrame
from callmissed_ai.dialects.dialect import Charge
from callmissed_ai.dialects.openai_chat.reply import ERROR_REASONS, begins, finish_reasons, written_text
from callmissed_ai.dialects.openai_chat.usage import chunk_head, read_usage, reported_usage, write_usage
from callmissed_ai.dialects.output_bounds import OutputBounds
from callmissed_ai.dialects.strict_json import read_strictly
from callmissed_ai.dialects.written_json import written_json
from callmissed_ai.streams.sse import BYTE_ORDER_MARK, NULL, EventSplitter, data_of, name_of, split
from callmissed_ai.tokens.usage import TokenUsage, larger

DONE = b"data: [DONE]\n\n"
_USAGE = re.compile(rb'"usage"\s*:\s*\{')
_NO_OBJECT = re.compile(rb"data:(?! ?\{)")  # `[DONE]` is none either
_FINISH = re.compile(rb'"finish_reason"\s*:(?!\s*null)')
_REPORTED = "the upstream reports an error"
_ENDLESS = "an event without end"
_NEVER_BEGUN = "no reply in the stream"
_NOT_ENDED = "no [DONE] and no finish reason"
_RUNAWAY = "a reply far above its output limit"
_PATH = "/v1/chat/completions"
_MAX_EVENT_BYTES = 8 * 1024 * 1024
_MAX_BYTES_BEFORE_REPLY = 1024 * 1024
_MAX_LINE_END_BYTES = 2
_HEAD = ("id", "object", "created", "model")


class _UnreadableEvent(Exception):
    """An event whose data is no JSON object."""


class ChatStreamMeter:
    """Reads one chat stream on its way through.

    `feed` returns what may be passed on at once: whole events, without `[DONE]`, and without the usage chunk unless
    the caller asked for it. Until the reply has `begun` every event is parsed, then only those that concern usage, an
    error or the end. Nothing passes after the end (`finished`), nor after an error or what is no event stream
    (`broken` says why). All of it depends on the events alone, never on the pieces in which they come.
    """

    def __init__(
        self, new_frame: Callable[[], ReplyFrame], *, wants_usage: bool, bounds: OutputBounds, charge: Charge
    ) -> None:
        self.usage: TokenUsage | None = None
        self.begun = False
        self.finished = False
        self.broken = ""
        self._wants_usage = wants_usage
        self._bounds = bounds
        self._charge = charge
        self._splitter = EventSplitter()
        self._passed = _PassedEvents()
        self._new_frame = new_frame
        self._head: dict[str, Any] = {}
        self._counted: TokenUsage | None = None

    @property
    def runaway(self) -> bool:
        """See `Meter.runaway`."""
        return self.broken == _RUNAWAY

    def feed(self, chunk: bytes) -> bytes:
        """Take what the upstream sent; returns what to send on."""
        whole = self._splitter.feed(chunk)
        if whole:
            if self._must_be_read(whole):
                whole = b"".join(self._read(whole))
            else:
                self._passed.add(whole)
        too_long = self._splitter.pending_bytes > _MAX_EVENT_BYTES + _MAX_LINE_END_BYTES
        if too_long and not self.finished:
            self.broken = self.broken or _ENDLESS
        return whole

    def end(self) -> bytes:
        """Take the end of the upstream's body; returns what is left to pass on.

        A last event may lack its blank line, and a reply with a finish reason its `[DONE]`.
        """
        passed = self._end_of_reply(self._splitter.rest())
        if not (self.finished or self.broken):
            self.finished = self._passed.have_finish_reason()
            self.broken = "" if self.finished else (_NOT_ENDED if self.begun else _NEVER_BEGUN)
        return passed

    async def charges(self) -> Charges:
        """See `Meter.charges`."""
        charges = await self._charge(self.usage, self.written)
        self._counted = charges.counted
        return charges

    def final(self, body: bytes) -> bytes:
        """See `Meter.final`."""
        return body

    @property
    def response(self) -> None:
        """See `Meter.response`."""

    def closing(self, error: ApiError | None, request_id: str) -> bytes:
        """See `Meter.closing`. A caller that wants usage is shown what we counted."""
        last = closing(error, request_id)
        if error or not self._wants_usage or self._counted is None:
            return last
        shown: dict[str, Any] = {
            **chunk_head(self._new_frame()),
            **self._head,
            "choices": [],
            "usage": write_usage(self._counted),
        }
        return b"data: %b\n\n" % written_json(shown) + last

    def written(self) -> str:
        """What the model wrote since its usage was reported, for the tokenizer."""
        return self._passed.unreported_text()

    def _end_of_reply(self, rest: bytes) -> bytes:
        """What may be passed on of the last event, which lacks its blank line and may be cut off anywhere.

        No reply begins with it, unless it ends there too.
        """
        data = data_of(rest if self.begun else rest.removeprefix(BYTE_ORDER_MARK))
        if data in (b"", NULL) or not (self.begun or finish_reasons(_lenient(data))):
            return b""
        if data != b"[DONE]" and not _lenient(data):
            self.broken = _NOT_ENDED
            return b""
        return b"".join(self._read(rest.rstrip(b"\r\n") + b"\n\n"))

    def _must_be_read(self, events: bytes) -> bool:
        return (
            not self.begun
            or _is_relevant(events)
            or self._passed.unmeasured_bytes + len(events) > self._bounds.step_bytes
            or not (events.isascii() or _is_utf8(events))
        )

    def _read(self, events: bytes) -> Iterator[bytes]:
        """The events that may be passed on, up to the one that ends the reply."""
        for event in split(events):
            if self.finished or self.broken:
                return
            if not self.begun and self._passed.is_empty:
                event = event.removeprefix(BYTE_ORDER_MARK)
            if not self._consumed(event) and self._is_within_bounds(event):
                self._passed.add(event)
                yield event

    def _consumed(self, event: bytes) -> bool:
        """Read `event`; True when it must not be passed on."""
        if why := _defect(event):
            self.broken = why
            return True
        if self.begun and not _is_relevant(event):
            return False
        data = data_of(event)
        if data == b"[DONE]":
            self.finished, self.broken = self.begun, "" if self.begun else _NEVER_BEGUN
            return True
        return data == NULL or (bool(data) and self._consumed_chunk(event, data))

    def _consumed_chunk(self, event: bytes, data: bytes) -> bool:
        try:
            chunk = _parse(data)
        except _UnreadableEvent as error:
            self.broken = str(error)
            return True
        reported = chunk.get("usage")
        usage = read_usage(reported_usage(chunk))
        hidden = isinstance(reported, dict) and not chunk.get("choices") and not self._wants_usage
        if usage:
            self._report(usage, hidden=hidden)
        if is_error(event, chunk):
            self.broken = _REPORTED
            return True
        if not self.begun:
            self._head |= {name: chunk[name] for name in _HEAD if name in chunk}
        self.begun = self.begun or begins(chunk)
        return hidden

    def _report(self, usage: TokenUsage, *, hidden: bool) -> None:
        """Take a report of usage. It covers all that was written before, unless an earlier one says more."""
        if self.usage is None or usage.output >= self.usage.output:
            self._passed.mark_reported(and_next=not hidden)
        self.usage = larger(self.usage, usage)

    def _is_within_bounds(self, event: bytes) -> bool:
        """Whether `event` may be passed on too; measures the text where a step is complete."""
        passed = self._passed
        if not self.begun and passed.length + len(event) > _MAX_BYTES_BEFORE_REPLY:
            self.broken = _NEVER_BEGUN
        elif passed.unmeasured_bytes + len(event) > self._bounds.step_bytes:
            passed.measure()
            too_long = passed.length + len(event) > self._bounds.body_bytes
            if too_long or passed.characters + len(_text(event)) > self._bounds.characters:
                self.broken = _RUNAWAY
        return not self.broken


class _PassedEvents:
    """The events that were passed on: the length of their text, and the text since usage was reported.

    They are kept as bytes until a step is complete, so that a stream of usual length is not parsed.
    """

    def __init__(self) -> None:
        self.characters = 0
        self.unmeasured_bytes = 0
        self._measured_bytes = 0
        self._unmeasured: list[bytes] = []
        self._reported = 0
        self._texts: list[str] = []
        self._finish_reason = False

    @property
    def length(self) -> int:
        """Length of all events."""
        return self._measured_bytes + self.unmeasured_bytes

    @property
    def is_empty(self) -> bool:
        """Whether there are none."""
        return not self.length

    def add(self, events: bytes) -> None:
        """Add whole events."""
        self._unmeasured.append(events)
        self.unmeasured_bytes += len(events)

    def mark_reported(self, *, and_next: bool) -> None:
        """Record that what was added, and the event that is added next, needs no counting."""
        self._reported = len(self._unmeasured) + and_next
        self._texts.clear()

    def measure(self) -> None:
        """Reduce the events to their text, a tenth of their size."""
        self._finish_reason = self.have_finish_reason()
        for number, events in enumerate(self._unmeasured):
            text = _text(events)
            self.characters += len(text)
            if number >= self._reported:
                self._texts.append(text)
        self._reported = max(0, self._reported - len(self._unmeasured))
        self._measured_bytes += self.unmeasured_bytes
        self._unmeasured, self.unmeasured_bytes = [], 0

    def unreported_text(self) -> str:
        """What was written since usage was reported."""
        return "".join([*self._texts, *map(_text, self._unmeasured[self._reported :])])

    def have_finish_reason(self) -> bool:
        """Whether a choice has ended."""
        return self._finish_reason or any(
            _FINISH.search(event) and finish_reasons(_lenient(data_of(event)))
            for events in self._unmeasured
            if _FINISH.search(events)
            for event in split(events)
        )


def closing(error: ApiError | None, request_id: str) -> bytes:
    """The last bytes of a stream: `[DONE]`, or the error, which the SDKs raise as an APIError."""
    if error is None:
        return DONE
    return b"data: " + json.dumps(envelope(_PATH, error, request_id)).encode() + b"\n\n"


def _defect(event: bytes) -> str:
    """Why no parser of events may get this one, "" where it may."""
    if len(event) > _MAX_EVENT_BYTES and len(event.rstrip(b"\r\n")) > _MAX_EVENT_BYTES:
        return _ENDLESS
    return "" if event.isascii() or _is_utf8(event) else "an event that is not UTF-8"


def _is_relevant(events: bytes) -> bool:
    """Whether billing may need them parsed. The three tests are twice as fast as one pattern of alternatives."""
    return (
        b"error" in events
        or (b'"usage"' in events and _USAGE.search(events) is not None)
        or _NO_OBJECT.search(events) is not None
    )


def _is_utf8(events: bytes) -> bool:
    try:
        events.decode()
    except UnicodeDecodeError:
        return False
    return True


def _text(events: bytes) -> str:
    return "".join(written_text(_lenient(data_of(event))) for event in split(events))


def _parse(data: bytes) -> dict[str, Any]:
    try:
        chunk = read_strictly(data)
    except ValueError:
        raise _UnreadableEvent("an event that is not JSON") from None
    if not isinstance(chunk, dict):
        raise _UnreadableEvent("an event that is no object")
    return cast("dict[str, Any]", chunk)


def _lenient(data: bytes) -> dict[str, Any]:
    try:
        return _parse(data)
    except _UnreadableEvent:
        return {}


def is_error(event: bytes, chunk: Mapping[str, Any]) -> bool:
    """Whether an event is an error: `error` in its chunk, as the chunk's type, the event's name or a finish reason."""
    said = (chunk.get("object"), chunk.get("type"), *finish_reasons(chunk))
    return bool(chunk.get("error")) or any(map(ERROR_REASONS.__contains__, said)) or name_of(event) == b"error"
