"""WebM and Matroska with Opus, Vorbis or AAC, also as browsers record it, with sizes unknown. Times are not read.

https://www.rfc-editor.org/rfc/rfc8794, https://www.rfc-editor.org/rfc/rfc9559
"""

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from callmissed_ai.audio.reading.packets import OPUS_RATE, opus_samples, vorbis
from callmissed_ai.audio.reading.track import MAX_TRACKS, Frame, Links, NotAudio, Track, checked_channels, checked_rate

MARK = b"\x1a\x45\xdf\xa3"
_SEGMENT, _CLUSTER, _GROUP, _BLOCK, _SIMPLE_BLOCK = 0x18538067, 0x1F43B675, 0xA0, 0xA1, 0xA3
_TRACKS, _ENTRY, _AUDIO = 0x1654AE6B, 0xAE, 0xE1
_NUMBER, _CODEC, _PRIVATE, _RATE, _CHANNELS = 0xD7, 0x86, 0x63A2, 0xB5, 0x9F
_ONE_BYTE, _UNKNOWN = 0x7F, 0xFF
_CONTAINERS = {_SEGMENT, _CLUSTER, _GROUP, _TRACKS, _ENTRY, _AUDIO}
_READ = _CONTAINERS | {_BLOCK, _SIMPLE_BLOCK, _NUMBER, _CODEC, _PRIVATE, _RATE, _CHANNELS}
_AAC_SAMPLES = 1_024


@dataclass(slots=True)
class _Entry:
    """What the head of the file says of one track."""

    number: int = 0
    codec: str = ""
    private: bytes = b""
    rate: float = 8_000
    channels: int = 1


def tracks(data: bytes) -> Links:
    """The tracks of sound of a WebM file. Raises NotAudio."""
    found = [track for entry in _entries(data) if (track := _track(data, entry))]
    if not found:
        raise NotAudio("a WebM file without Opus, Vorbis or AAC")
    return [found]


def _elements(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Id, start and end of each element that is read; those that hold others come before what they hold."""
    at, length = 0, len(data)
    while at + 2 <= length:
        first = data[at]
        width = 9 - first.bit_length()
        name = first if width == 1 else int.from_bytes(data[at : at + width])
        at += width
        if at < length and data[at] > _ONE_BYTE:
            size, at = data[at] - 0x80 if data[at] < _UNKNOWN else -1, at + 1
        else:
            size, at = _number(data, at)
        if width > 4 or size == -2:
            return
        if name in _READ:
            yield name, at, length if size < 0 else min(at + size, length)
        if name not in _CONTAINERS:
            if size < 0:
                return
            at += size


def _number(data: bytes, at: int) -> tuple[int, int]:
    """A coded number, -1 for a size that is not known, -2 for none; and where it ends."""
    first = data[at] if at < len(data) else 0
    width = 9 - first.bit_length()
    if not first or at + width > len(data):
        return -2, at
    value = int.from_bytes(data[at : at + width]) & (1 << 7 * width) - 1
    return (-1 if value == (1 << 7 * width) - 1 else value), at + width


def _entries(data: bytes) -> list[_Entry]:
    found: list[_Entry] = []
    for name, start, end in _elements(data):
        if name == _CLUSTER:
            break
        if name == _ENTRY:
            if len(found) == MAX_TRACKS:
                raise NotAudio("too many tracks")
            found.append(_Entry())
        elif found:
            _describe(found[-1], name, data[start:end])
    return found


def _describe(entry: _Entry, name: int, body: bytes) -> None:
    match name:
        case int(n) if n == _NUMBER:
            entry.number = int.from_bytes(body[:8])
        case int(n) if n == _CODEC:
            entry.codec = body[:32].decode("latin-1")
        case int(n) if n == _PRIVATE:
            entry.private = body
        case int(n) if n == _CHANNELS:
            entry.channels = int.from_bytes(body[:8])
        case int(n) if n == _RATE and len(body) in (4, 8):
            entry.rate = struct.unpack(">f" if len(body) == 4 else ">d", body)[0]
        case _:
            pass


def _track(data: bytes, entry: _Entry) -> Track | None:
    frames: Callable[[], Iterator[Frame]]
    if entry.codec == "A_OPUS":
        head = entry.private if entry.private.startswith(b"OpusHead") else b""
        frames = lambda: ((packet, opus_samples(packet)) for packet in _packets(data, entry.number))  # noqa: E731
        return Track("opus", OPUS_RATE, checked_channels(entry.channels), frames, head)
    if entry.codec == "A_VORBIS":
        stream = vorbis(*_vorbis_headers(entry.private))
        return Track("vorbis", stream.rate, stream.channels, lambda: stream.frames(_packets(data, entry.number)))
    if entry.codec.startswith("A_AAC"):
        rate = checked_rate(int(entry.rate) if entry.rate == entry.rate and abs(entry.rate) < 1e9 else 0)
        frames = lambda: ((packet, _AAC_SAMPLES) for packet in _packets(data, entry.number))  # noqa: E731
        return Track("aac", rate, checked_channels(entry.channels), frames, entry.private)
    return None


def _vorbis_headers(private: bytes) -> tuple[bytes, bytes]:
    """The first and the third header, which are laced."""
    if private[:1] != b"\x02":
        raise NotAudio("a Vorbis stream whose headers are cut")
    sizes, at = _xiph_sizes(private, 1, 2)
    return private[at : at + sizes[0]], private[at + sum(sizes) :]


def _packets(data: bytes, number: int) -> Iterator[bytes]:
    for name, start, end in _elements(data):
        if name in (_BLOCK, _SIMPLE_BLOCK):
            track, at = _number(data, start)
            if track == number and at + 3 <= end:
                yield from _laced(data, at + 3, end, data[at + 2] >> 1 & 3)


def _laced(data: bytes, at: int, end: int, lacing: int) -> Iterator[bytes]:
    """The frames of a block: one, or several whose sizes stand before them."""
    if not lacing or at >= end:
        if at < end:
            yield data[at:end]
        return
    count, at = data[at] + 1, at + 1
    if lacing == 1:
        sizes, at = _xiph_sizes(data, at, count - 1)
    elif lacing == 3:
        sizes, at = _ebml_sizes(data, at, count - 1)
    else:
        sizes = [(end - at) // count] * (count - 1)
    for size in sizes:
        yield data[at : min(at + max(0, size), end)]
        at += max(0, size)
    yield data[at:end]


def _xiph_sizes(data: bytes, at: int, count: int) -> tuple[list[int], int]:
    sizes: list[int] = []
    for _ in range(count):
        size = 0
        while at < len(data) and data[at] == 255:
            size, at = size + 255, at + 1
        sizes.append(size + (data[at] if at < len(data) else 0))
        at += 1
    return sizes, at


def _ebml_sizes(data: bytes, at: int, count: int) -> tuple[list[int], int]:
    sizes: list[int] = []
    for place in range(count):
        begun = at
        value, at = _number(data, at)
        sizes.append(value if place == 0 else sizes[-1] + value - ((1 << 7 * (at - begun) - 1) - 1))
    return sizes, at
