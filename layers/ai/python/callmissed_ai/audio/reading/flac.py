"""FLAC: frames are found by their sync code, checked by the CRC of their headers and counted by their block sizes.

https://www.rfc-editor.org/rfc/rfc9639
"""

import re
from collections.abc import Callable, Iterator

from callmissed_ai.audio.reading.track import Frame, Links, NotAudio, Track, checked_channels, checked_rate

MARK = b"fLaC"
_STREAMINFO_BYTES = 34
_SYNC = re.compile(rb"\xff[\xf8\xf9]")
_MAX_HEAD_BYTES = 16


def _crc_table() -> bytes:
    table = bytearray()
    for value in range(256):
        for _ in range(8):
            value = (value << 1 ^ 0x07) & 0xFF if value & 0x80 else value << 1
        table.append(value)
    return bytes(table)


_CRC = _crc_table()


def tracks(data: bytes) -> Links:
    """The track of a FLAC file. Raises NotAudio."""
    at, info = 4, b""
    while at + 4 <= len(data):
        kind, size = data[at], int.from_bytes(data[at + 1 : at + 4])
        if kind & 0x7F == 0:
            info = data[at + 4 : at + 4 + size]
        at += 4 + size
        if kind & 0x80:
            break
    start = at

    def frames() -> Iterator[Frame]:
        begun, samples = -1, 0
        for at, block in _heads(data, start):
            if begun >= 0:
                yield data[begun:at], samples
            begun, samples = at, block
        if begun >= 0:
            yield data[begun:], samples

    return [[track(info, frames)]]


def track(info: bytes, frames: Callable[[], Iterator[Frame]]) -> Track:
    """The track of `frames` that the STREAMINFO block `info` describes. Raises NotAudio."""
    if len(info) < _STREAMINFO_BYTES:
        raise NotAudio("a FLAC file whose head is cut")
    packed = int.from_bytes(info[10:14])
    rate, channels = packed >> 12, (packed >> 9 & 7) + 1
    unknown_length = info[:13] + bytes([info[13] & 0xF0]) + bytes(4) + bytes(16)
    head = MARK + bytes([0x80]) + _STREAMINFO_BYTES.to_bytes(3) + unknown_length
    return Track("flac", checked_rate(rate), checked_channels(channels), frames, head)


def block_samples(data: bytes, at: int = 0) -> int:
    """Samples of the frame whose header is at `at`, 0 where there is none."""
    head = data[at : at + _MAX_HEAD_BYTES]
    if len(head) < 6 or head[0] != 0xFF or head[1] & 0xFE != 0xF8 or head[3] >> 4 > 10 or head[3] & 1:
        return 0
    block, rate = head[2] >> 4, head[2] & 15
    at = 4 + _number_bytes(head[4])
    if block == 0 or rate == 15 or at == 4:
        return 0
    extra = {6: 1, 7: 2}.get(block, 0)
    samples = int.from_bytes(head[at : at + extra]) + 1 if extra else _usual(block)
    end = at + extra + {12: 1, 13: 2, 14: 2}.get(rate, 0)
    return samples if end < len(head) and _crc(head[:end]) == head[end] else 0


def _heads(data: bytes, start: int) -> Iterator[tuple[int, int]]:
    for found in _SYNC.finditer(data, start):
        if samples := block_samples(data, found.start()):
            yield found.start(), samples


def _usual(block: int) -> int:
    if block == 1:
        return 192
    return 576 << block - 2 if block < 6 else 256 << block - 8


def _number_bytes(first: int) -> int:
    """Length of the coded frame number that begins with `first`, as in UTF-8; 0 for what begins none."""
    if first < 0x80:
        return 1
    ones = 8 - (first ^ 0xFF).bit_length()
    return ones if 2 <= ones <= 7 else 0


def _crc(head: bytes) -> int:
    crc = 0
    for byte in head:
        crc = _CRC[crc ^ byte]
    return crc
