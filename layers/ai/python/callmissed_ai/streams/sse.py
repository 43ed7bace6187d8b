"""Server-sent events as bytes: where an event ends, its name and its data.

A line ends with CR, LF or CR LF. https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

import re
from collections.abc import Iterator

MEDIA_TYPE = "text/event-stream"

PING = b": ping\n\n"
"""A comment, which event parsers ignore."""

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
"""May stand at the very start of a stream and belongs to no event."""

NULL = b"null"
"""Data with which some upstreams keep a stream alive. It says nothing, and clients fail on it."""

_LINE_ENDS = b"\r\n"
# A CR that may be the first half of CR LF ends nothing before the next byte; two CRs do, so that no event has to wait.
_END = re.compile(rb"\r\r|\r\n\r\n|\r\n\n|\r\n\r(?=[^\n])|\n\n|\n\r\n|\n\r(?=[^\n])")
_MAX_END_BYTES = 4


class EventSplitter:
    """Finds the whole events of a body that comes in pieces. Each byte is looked at once, however it is cut."""

    def __init__(self) -> None:
        self._pending = bytearray()

    @property
    def pending_bytes(self) -> int:
        """Length of the begun event."""
        return len(self._pending)

    def feed(self, chunk: bytes) -> bytes:
        """The events that `chunk` completes, with blank lines between them; the begun event waits."""
        if not self._pending:
            if chunk.endswith(b"\n\n"):
                return chunk
            return self._completed(chunk, _end_of_last(chunk))
        overlap = self._pending[1 - _MAX_END_BYTES :]
        end = _end_of_last(overlap + chunk) - len(overlap)
        if end < 0:
            self._pending += chunk
            return b""
        return self._completed(chunk, end)

    def rest(self) -> bytes:
        """The begun event at the end of the body, which then waits no longer."""
        rest = bytes(self._pending)
        self._pending.clear()
        return rest

    def _completed(self, chunk: bytes, end: int) -> bytes:
        end += _blank(chunk[end:])
        whole = self.rest() + chunk[:end]
        self._pending += chunk[end:]
        return whole


def split(events: bytes) -> Iterator[bytes]:
    """The single events of `events`; blank lines beyond the one that ends an event come by themselves."""
    if events.endswith(b"\n\n") and events.count(b"\n") == len(b"\n\n") and b"\r" not in events:
        yield events  # a single one, as most upstreams send them
        return
    start = 0
    for found in _END.finditer(events):
        yield from _apart(events[start : found.end()])
        start = found.end()
    if start < len(events):
        yield from _apart(events[start:])


def data_of(event: bytes) -> bytes:
    """The event's data; its lines joined by newlines, b"" for a comment."""
    lines = [line[5:].strip() for line in event.splitlines() if line.startswith(b"data:")]
    return b"\n".join(lines)


def name_of(event: bytes) -> bytes:
    """The event's name, b"" where it has none."""
    if b"event:" not in event:
        return b""
    names = [line[6:].strip() for line in event.splitlines() if line.startswith(b"event:")]
    return names[-1] if names else b""


def _end_of_last(data: bytes | bytearray) -> int:
    """Where the last whole event ends, 0 where there is none."""
    end = 0
    for found in _END.finditer(data):
        end = found.end()
    return end


def _blank(data: bytes) -> int:
    """Length of the line ends at the start of `data`."""
    return len(data) - len(data.lstrip(_LINE_ENDS))


def _apart(event: bytes) -> Iterator[bytes]:
    """The blank lines before an event, and the event."""
    blank = _blank(event)
    if blank:
        yield event[:blank]
    if blank < len(event):
        yield event[blank:]
