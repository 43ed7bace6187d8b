"""The first bytes of audio in every format."""

from collections.abc import Mapping

from callmissed_ai.audio.formats import AudioFormat
from callmissed_ai.audio.wav import header

BEGINNINGS: Mapping[AudioFormat, bytes] = {
    "mp3": b"\xff\xf3\x44\xc4" + bytes(range(200)),
    "opus": b"OggS\x00\x02" + bytes(200),
    "aac": b"\xff\xf1\x50\x80" + bytes(range(200)),
    "flac": b"fLaC\x00\x00\x00\x22" + bytes(200),
    "wav": header(24_000) + bytes(range(200)),
    "pcm": bytes(range(200)),
    "mulaw": b"\xff" * 200,
    "alaw": b"\xd5" * 200,
}
"""A short file of each format."""
