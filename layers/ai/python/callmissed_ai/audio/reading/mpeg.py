"""MP3 and AAC as streams of frames that begin with a sync word. A frame that doesn't fit the last one is skipped.

ISO/IEC 11172-3 and 13818-3 for MP3, 13818-7 for ADTS.
"""

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from callmissed_ai.audio.reading.track import Frame, Links, NotAudio, Track

_BITRATES = {
    (3, 3): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (3, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (3, 1): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 3): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (2, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (2, 1): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_RATES = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}
ADTS_RATES = (96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350)
_MP3_SYNC = re.compile(rb"\xff[\xe2-\xe7\xf2-\xff]")
_ADTS_SYNC = re.compile(rb"\xff[\xf0\xf1\xf8\xf9]")
_INFO = re.compile(rb"Xing|Info|VBRI")
_AAC_SAMPLES = 1_024


class _Head(NamedTuple):
    """One frame's header. `kind` is the same in all frames of a stream."""

    kind: tuple[int, ...]
    rate: int
    channels: int
    size: int
    samples: int


_Read = Callable[[bytes, int], _Head | None]


def tracks(data: bytes) -> Links:
    """The track of an MP3 or ADTS file, which may begin with an ID3 tag. Raises NotAudio."""
    body = data[_id3_bytes(data) :]
    return [[adts_track(body) if _ADTS_SYNC.match(body) and _adts(body, 0) else mp3_track(body)]]


def mp3_track(data: bytes) -> Track:
    """The track of the MP3 frames in `data`. Raises NotAudio."""
    return _track("mp3", data, _MP3_SYNC, _mp3)


def adts_track(data: bytes) -> Track:
    """The track of the AAC frames in `data`. Raises NotAudio."""
    return _track("aac", data, _ADTS_SYNC, _adts)


def is_stream(data: bytes) -> bool:
    """Whether `data` begins with frames."""
    return any(_begins(data, read) for read in (_adts, _mp3))


def _begins(data: bytes, read: _Read) -> bool:
    head = read(data, 0)
    return head is not None and _next(data, head.size, read, head)


def _track(codec: str, data: bytes, sync: re.Pattern[bytes], read: _Read) -> Track:
    first = next(_heads(data, sync, read), None)
    if first is None:
        raise NotAudio("no frames of audio")
    _, head = first

    def frames() -> Iterator[Frame]:
        for number, (at, found) in enumerate(_heads(data, sync, read)):
            frame = data[at : at + found.size]
            if number == 0 and codec == "mp3" and _INFO.search(frame[:64]):
                continue  # a table of contents, which is no sound
            yield frame, found.samples

    return Track(codec, head.rate, head.channels, frames)


def _heads(data: bytes, sync: re.Pattern[bytes], read: _Read) -> Iterator[tuple[int, _Head]]:
    """Where frames begin. After garbage a frame counts only where the next one, or the end, follows it."""
    at, last = 0, None
    while True:
        head = read(data, at)
        if head and (last is None or head.kind != last.kind) and not _next(data, at + head.size, read, head):
            head = None
        if head and at + head.size <= len(data):
            yield at, head
            at, last = at + head.size, head
            continue
        found = sync.search(data, at + 1)
        if found is None:
            return
        at, last = found.start(), None


def _next(data: bytes, at: int, read: _Read, head: _Head) -> bool:
    if at >= len(data):
        return at == len(data)
    following = read(data, at)
    return following is not None and following.kind == head.kind


def _mp3(data: bytes, at: int) -> _Head | None:
    if at + 4 > len(data) or data[at] != 0xFF or data[at + 1] & 0xE0 != 0xE0:
        return None
    version, layer = data[at + 1] >> 3 & 3, data[at + 1] >> 1 & 3
    rate_index, bitrate_index = data[at + 2] >> 2 & 3, data[at + 2] >> 4
    if version == 1 or layer == 0 or rate_index == 3 or bitrate_index in (0, 15):
        return None
    rate = _RATES[version][rate_index]
    bits = _BITRATES[(3 if version == 3 else 2, layer)][bitrate_index - 1] * 1_000
    padding = data[at + 2] >> 1 & 1
    if layer == 3:
        size, samples = (12 * bits // rate + padding) * 4, 384
    else:
        samples = 1_152 if layer == 2 or version == 3 else 576
        size = samples // 8 * bits // rate + padding
    channels = 1 if data[at + 3] >> 6 == 3 else 2
    return _Head((version, layer, rate_index), rate, channels, size, samples)


def _adts(data: bytes, at: int) -> _Head | None:
    if at + 7 > len(data) or data[at] != 0xFF or data[at + 1] & 0xF6 != 0xF0:
        return None
    rate_index = data[at + 2] >> 2 & 15
    size = (data[at + 3] & 3) << 11 | data[at + 4] << 3 | data[at + 5] >> 5
    if rate_index >= len(ADTS_RATES) or size < 7:
        return None
    channels = (data[at + 2] & 1) << 2 | data[at + 3] >> 6
    blocks = (data[at + 6] & 3) + 1
    return _Head((data[at + 1], data[at + 2]), ADTS_RATES[rate_index], channels or 1, size, _AAC_SAMPLES * blocks)


def _id3_bytes(data: bytes) -> int:
    """Length of the ID3v2 tags at the start."""
    at = 0
    while data[at : at + 3] == b"ID3" and at + 10 <= len(data):
        size = data[at + 6 : at + 10]
        footer = 10 if data[at + 5] & 0x10 else 0
        at += 10 + footer + (size[0] << 21 | size[1] << 14 | size[2] << 7 | size[3])
    return at
