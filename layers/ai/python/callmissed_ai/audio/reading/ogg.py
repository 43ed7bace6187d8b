"""Ogg with Opus, Vorbis or FLAC. What pages claim of time is not read. https://www.rfc-editor.org/rfc/rfc3533"""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from callmissed_ai.audio.reading import flac
from callmissed_ai.audio.reading.packets import OPUS_RATE, opus_samples, vorbis
from callmissed_ai.audio.reading.track import MAX_TRACKS, Frame, Links, NotAudio, Track, checked_channels

MARK = b"OggS"
_HEAD_BYTES = 27
_BEGINS = 2


class _Page(NamedTuple):
    """One page: its flags, its stream, where it begins, its lengths of segments and where its segments begin."""

    flags: int
    serial: bytes
    start: int
    lacing: bytes
    body: int


def tracks(data: bytes) -> Links:
    """The tracks of an Ogg file; streams that begin after others have are links of a chain. Raises NotAudio."""
    links = [_tracks(data, start, end, serials) for start, end, serials in _chain(data)]
    if not any(links):
        raise NotAudio("an Ogg file without Opus, Vorbis or FLAC")
    return links


def piece(track: Track, frames: Sequence[Frame]) -> bytes:
    """An Ogg file of Opus packets, each in a page of its own."""
    tags = b"OpusTags" + bytes(8)
    pages = [_written(0, 2, 0, track.head), _written(1, 0, 0, tags)]
    granule = 0
    for number, (packet, samples) in enumerate(frames):
        granule += samples
        pages.append(_written(number + 2, 4 if number == len(frames) - 1 else 0, granule, packet))
    return b"".join(pages)


def _pages(data: bytes, start: int, end: int) -> Iterator[_Page]:
    at = data.find(MARK, start, end)
    while at >= 0 and at + _HEAD_BYTES <= end:
        body = at + _HEAD_BYTES + data[at + 26]
        lacing = data[at + _HEAD_BYTES : body]
        yield _Page(data[at + 5], data[at + 14 : at + 18], at, lacing, body)
        at = data.find(MARK, min(body + sum(lacing), end), end)


def _chain(data: bytes) -> Iterator[tuple[int, int, list[bytes]]]:
    """Start and end of each link, and its streams."""
    start, serials, sounding = 0, list[bytes](), False
    for page in _pages(data, 0, len(data)):
        if not page.flags & _BEGINS:
            sounding = True
            continue
        if sounding:
            yield start, page.start, serials
            start, serials, sounding = page.start, [], False
        if len(serials) == MAX_TRACKS:
            raise NotAudio("too many streams")
        serials.append(page.serial)
    yield start, len(data), serials


def _tracks(data: bytes, start: int, end: int, serials: list[bytes]) -> list[Track]:
    found = (_track(data, start, end, serial) for serial in serials)
    return [track for track in found if track is not None]


def _packets(data: bytes, start: int, end: int, serial: bytes) -> Iterator[bytes]:
    pending = b""
    for page in _pages(data, start, end):
        if page.serial != serial:
            continue
        begun = at = page.body
        for size in page.lacing:
            at += size
            if size < 255:
                packet = data[begun:at]
                yield pending + packet if pending else packet
                pending, begun = b"", at
        pending += data[begun:at]


def _track(data: bytes, start: int, end: int, serial: bytes) -> Track | None:
    heads = list(islice(_packets(data, start, end, serial), 3))
    first = heads[0] if heads else b""

    def packets(skip: int) -> Iterator[bytes]:
        return islice(_packets(data, start, end, serial), skip, None)

    if first.startswith(b"OpusHead") and len(first) > 9:

        def opus() -> Iterator[Frame]:
            return ((packet, opus_samples(packet)) for packet in packets(2))

        return Track("opus", OPUS_RATE, checked_channels(first[9]), opus, first)
    if first.startswith(b"\x01vorbis") and len(heads) == 3:
        stream = vorbis(first, heads[2])
        return Track("vorbis", stream.rate, stream.channels, lambda: stream.frames(packets(3)))
    if first.startswith(b"\x7fFLAC") and len(first) > 17:

        def lossless() -> Iterator[Frame]:
            return ((packet, flac.block_samples(packet)) for packet in packets(1) if packet[:1] == b"\xff")

        return flac.track(first[17:], lossless)
    return None


def _written(number: int, flags: int, granule: int, packet: bytes) -> bytes:
    lacing = bytes([255] * (len(packet) // 255) + [len(packet) % 255])
    head = MARK + bytes([0, flags]) + granule.to_bytes(8, "little") + bytes([1, 0, 0, 0]) + number.to_bytes(4, "little")
    page = head + bytes(4) + bytes([len(lacing)]) + lacing + packet
    return page[:22] + _crc(page).to_bytes(4, "little") + page[26:]


def _crc_table() -> tuple[int, ...]:
    table: list[int] = []
    for value in range(256):
        crc = value << 24
        for _ in range(8):
            crc = (crc << 1 ^ 0x04C11DB7) & 0xFFFFFFFF if crc & 0x80000000 else crc << 1
        table.append(crc)
    return tuple(table)


_CRC = _crc_table()


def _crc(page: bytes) -> int:
    crc = 0
    for byte in page:
        crc = (crc << 8 & 0xFFFFFFFF) ^ _CRC[crc >> 24 ^ byte]
    return crc
