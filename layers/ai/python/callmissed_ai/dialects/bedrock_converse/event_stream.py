"""Amazon's binary event stream: the frames in a body, each with its headers, a JSON payload and two checksums.

https://docs.aws.amazon.com/transcribe/latest/dg/streaming-setting-up.html#streaming-event-stream
"""

import struct
from collections.abc import Iterator
from typing import Any

from botocore.eventstream import EventStreamBuffer, EventStreamMessage, ParserError

from callmissed_ai.dialects.stream_reader import MAX_EVENT_BYTES, UnreadableStream

_LENGTH_BYTES = 4
_MIN_FRAME_BYTES = 16
_MAX_HEADER_BYTES = 16_384


class FrameSplitter:
    """Finds the whole frames of a body that comes in pieces. Each byte is copied once, however it is cut."""

    def __init__(self) -> None:
        self._pending = bytearray()

    @property
    def has_rest(self) -> bool:
        """Whether a frame has begun."""
        return bool(self._pending)

    def feed(self, body: bytes) -> Iterator[EventStreamMessage]:
        """The frames that `body` completes. Raises UnreadableStream for what is no frame, or is changed."""
        self._pending += body
        start = 0
        try:
            while length := self._length_at(start):
                end = start + length
                frame, start = bytes(self._pending[start:end]), end
                yield _decoded(frame)
        finally:
            del self._pending[:start]

    def _length_at(self, start: int) -> int:
        """Length of the whole frame at `start`; 0 where none is whole. Raises UnreadableStream."""
        available = len(self._pending) - start
        if available < 2 * _LENGTH_BYTES:
            return 0
        length, headers = struct.unpack_from("!II", self._pending, start)
        if not _MIN_FRAME_BYTES + headers <= length <= MAX_EVENT_BYTES or headers > _MAX_HEADER_BYTES:
            raise UnreadableStream("a frame of an impossible length")
        return length if length <= available else 0


def _decoded(frame: bytes) -> EventStreamMessage:
    buffer: Any = EventStreamBuffer()
    buffer.add_data(frame)
    try:
        return buffer.next()
    except (ParserError, struct.error, KeyError, ValueError) as error:
        raise UnreadableStream(f"a frame that can't be read: {type(error).__name__}") from None
