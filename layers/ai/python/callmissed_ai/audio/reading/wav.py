"""WAV: its length is that of its bytes, because files that were written to a pipe claim 0 or 0xFFFFFFFF.

https://www.mmsp.ece.mcgill.ca/Documents/AudioFormats/WAVE/WAVE.html
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from callmissed_ai.audio.reading import mpeg
from callmissed_ai.audio.reading.track import Frame, Links, NotAudio, Track, checked_channels, checked_rate

_PCM, _MS_ADPCM, _FLOAT, _ALAW, _MULAW, _IMA_ADPCM, _MP3, _EXTENSIBLE = 1, 2, 3, 6, 7, 0x11, 0x55, 0xFFFE
_BYTES_OF_SAMPLES = {_PCM, _FLOAT, _ALAW, _MULAW}
_FRAMES_A_SECOND = 50


@dataclass(frozen=True, slots=True)
class Format:
    """A `fmt ` chunk: bytes of a block and the samples in it."""

    tag: int
    channels: int
    rate: int
    block_bytes: int
    block_samples: int


def tracks(data: bytes) -> Links:
    """The track of a WAV file. Raises NotAudio."""
    form, chunk = None, b""
    for name, start, end in _chunks(data):
        if name == b"fmt " and form is None:
            form, chunk = _format(data[start:end]), data[start:end]
        elif name == b"data":
            return [[_track(form, chunk, data, start, _data_end(data, start, end))]]
    raise NotAudio("a WAV file without samples")


def piece(track: Track, body: bytes) -> bytes:
    """A WAV file of `body`, which are frames of `track`."""
    head = struct.pack("<4sI4s4sI", b"RIFF", 20 + len(track.head) + len(body), b"WAVE", b"fmt ", len(track.head))
    return head + track.head + struct.pack("<4sI", b"data", len(body)) + body


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Name, start and claimed end of each chunk."""
    at = 12
    while at + 8 <= len(data):
        name, size = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        yield name, at + 8, at + 8 + size
        at += 8 + size + (size & 1)


def _data_end(data: bytes, start: int, claimed: int) -> int:
    """The claimed end where nothing or whole chunks follow, else that of the file."""
    at = claimed + (claimed - start & 1)
    if claimed == start or claimed >= len(data):
        return len(data)
    while at + 8 <= len(data) and data[at : at + 4].isascii() and data[at : at + 4] != b"data":
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        at += 8 + size + (size & 1)
    return claimed if len(data) <= at <= len(data) + 1 else len(data)


def _format(chunk: bytes) -> Format:
    if len(chunk) < 16:
        raise NotAudio("a WAV file whose format is cut")
    tag, channels, rate, _, align, bits = struct.unpack("<HHIIHH", chunk[:16])
    if tag == _EXTENSIBLE and len(chunk) >= 26:
        tag = int.from_bytes(chunk[24:26], "little")
    checked_channels(channels)
    if tag in _BYTES_OF_SAMPLES and bits in (8, 16, 24, 32, 64):
        return Format(tag, channels, checked_rate(rate), channels * bits // 8, 1)
    if tag == _IMA_ADPCM and align > 4 * channels:
        return Format(tag, channels, checked_rate(rate), align, (align - 4 * channels) * 2 // channels + 1)
    if tag == _MS_ADPCM and align > 7 * channels:
        return Format(tag, channels, checked_rate(rate), align, (align - 7 * channels) * 2 // channels + 2)
    if tag == _MP3:
        return Format(tag, channels, checked_rate(rate), 1, 1)
    raise NotAudio(f"a WAV file in the encoding {tag}")


def _track(form: Format | None, chunk: bytes, data: bytes, start: int, end: int) -> Track:
    if form is None:
        raise NotAudio("a WAV file without a format")
    if form.tag == _MP3:
        return mpeg.mp3_track(data[start:end])

    def frames() -> Iterator[Frame]:
        step = max(1, form.rate // _FRAMES_A_SECOND // form.block_samples) * form.block_bytes
        for at in range(start, end - form.block_bytes + 1, step):
            body = data[at : min(at + step, end)]
            blocks = len(body) // form.block_bytes
            yield body[: blocks * form.block_bytes], blocks * form.block_samples

    codec = {_PCM: "pcm", _FLOAT: "float", _ALAW: "alaw", _MULAW: "mulaw"}.get(form.tag, "adpcm")
    return Track(codec, form.rate, form.channels, frames, chunk)
