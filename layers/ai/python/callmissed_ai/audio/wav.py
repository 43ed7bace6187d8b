"""WAV files: the header before the samples."""

import struct
from typing import Literal

_TAGS = {"pcm": 1, "alaw": 6, "mulaw": 7}
_UNKNOWN = 0xFFFF_FFFF
MAX_HEADER_BYTES = 64 * 1024
"""No header before samples is longer."""

_RIFF_BYTES = 12
_CHUNK_BYTES = 8

Samples = Literal["pcm", "alaw", "mulaw"]


def header(rate: int, samples: Samples = "pcm", data_bytes: int | None = None) -> bytes:
    """Header of a file with one channel. A length that is not known yet is written as the largest one, as pipes do."""
    width = 2 if samples == "pcm" else 1
    data = _UNKNOWN if data_bytes is None else data_bytes
    riff = _UNKNOWN if data_bytes is None else data_bytes + 36
    layout = struct.pack("<HHIIHH", _TAGS[samples], 1, rate, rate * width, width, width * 8)
    return b"RIFF" + struct.pack("<I", riff) + b"WAVEfmt " + struct.pack("<I", 16) + layout + _data(data)


def _data(size: int) -> bytes:
    return b"data" + struct.pack("<I", size)


def samples_start(head: bytes) -> int | None:
    """Where the samples begin in a WAV file that begins with `head`; None while that is not among these bytes."""
    place = _RIFF_BYTES
    while len(head) >= place + _CHUNK_BYTES:
        if head[place : place + 4] == b"data":
            return place + _CHUNK_BYTES
        place += _CHUNK_BYTES + struct.unpack_from("<I", head, place + 4)[0]
    return None
