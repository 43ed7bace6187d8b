"""Server-sent events as bytes: the end of an event, and its data.

https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

import re
from collections.abc import Iterator

PING = b": ping\n\n"
"""A comment, which event parsers ignore."""

_END = re.compile(rb"\r?\n\r?\n")
_FIELDS = (b"data:", b":", b"event:", b"id:", b"retry:")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def is_event_stream(first: bytes) -> bool:
    """Whether a body that begins like this can be an event stream; a first piece may be a single byte."""
    head = first.removeprefix(_BYTE_ORDER_MARK).lstrip()
    return any(head.startswith(field) or field.startswith(head) for field in _FIELDS)


def split_last(data: bytes) -> tuple[bytes, bytes]:
    """The whole events at the start of `data`, and the begun one at its end."""
    if data.endswith(b"\n\n"):
        return data, b""
    end = 0
    for found in _END.finditer(data):
        end = found.end()
    return data[:end], data[end:]


def split(events: bytes) -> Iterator[bytes]:
    """The single events of `events`; blank lines beyond the one that ends an event come by themselves."""
    start = 0
    for found in _END.finditer(events):
        yield events[start : found.end()]
        start = found.end()
    if start < len(events):
        yield events[start:]


def data_of(event: bytes) -> bytes:
    """The event's data; its lines joined by newlines, b"" for a comment."""
    lines = [line[5:].strip() for line in event.splitlines() if line.startswith(b"data:")]
    return b"\n".join(lines)
