"""Formats of audio: their media types, and what the first bytes of a file say."""

import re
from codecs import getincrementaldecoder
from collections.abc import Callable, Mapping
from typing import Literal

AudioFormat = Literal["mp3", "opus", "aac", "flac", "wav", "pcm", "mulaw", "alaw"]
"""`opus` is in Ogg, `aac` in ADTS frames, `pcm` signed 16 bits in little endian; `mulaw` and `alaw` have 8 bits."""

SampleRate = Literal[8000, 16000, 22050, 24000, 48000]

RAW_FORMATS: frozenset[AudioFormat] = frozenset({"pcm", "mulaw", "alaw"})
"""Samples without a header, so that nothing in the bytes says what they are."""

HEAD_BYTES = 32
"""So many bytes are enough to know a format by."""

_WITH_MAGIC: tuple[AudioFormat, ...] = ("opus", "flac", "wav")
_PACKED = b"\x1f\x8b\x08"
"""Begins bytes that gzip has packed."""

_TELEPHONY = frozenset({"mulaw", "alaw"})
_MEDIA_TYPES: Mapping[AudioFormat, str] = {
    "mp3": "audio/mpeg",
    "opus": "audio/ogg",
    "aac": "audio/aac",
    "flac": "audio/flac",
    "wav": "audio/wav",
    "pcm": "audio/pcm",
    "mulaw": "audio/basic",
    "alaw": "audio/x-alaw-basic",
}
_TEXT = re.compile(r"[\s\ufeff]*(?:<[!?/A-Za-z]|\{\s*[\"}]|\[\s*[\[{\"\]\d])[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]*")


_TEXT_TYPES = re.compile(r"\s*(text/|application/([\w.+-]+\+)?(json|xml)\b)", re.IGNORECASE)


def is_text_type(content_type: str) -> bool:
    """Whether a `Content-Type` says that the bytes are a text: a page, JSON, XML, events."""
    return _TEXT_TYPES.match(content_type) is not None


def default_rate(audio_format: AudioFormat) -> SampleRate:
    """The samples a second of a file for which nobody asked for another rate."""
    return 8000 if audio_format in _TELEPHONY else 24000


def media_type(audio_format: AudioFormat, rate: int) -> str:
    """The `Content-Type` of a file; of raw samples it says their `rate`, which nothing else does."""
    named = _MEDIA_TYPES[audio_format]
    return f"{named};rate={rate}" if audio_format in RAW_FORMATS else named


def begins(audio_format: AudioFormat, head: bytes) -> bool:
    """Whether a file whose first bytes are `head` may be of this format.

    Raw samples may be anything but a file with a mark of three bytes or more, and text, such as a page or JSON.
    """
    if audio_format in RAW_FORMATS:
        return not (head.startswith(_PACKED) or _is_text(head) or any(_SIGNATURES[name](head) for name in _WITH_MAGIC))
    return _SIGNATURES[audio_format](head)


def _is_text(head: bytes) -> bool:
    """Whether `head` begins a page or JSON, of which it may end in the midst of a character."""
    try:
        return _TEXT.fullmatch(getincrementaldecoder("utf-8")().decode(head)) is not None
    except UnicodeDecodeError:
        return False


def _is_mp3(head: bytes) -> bool:
    """An ID3 tag, or a frame: eleven bits of synchronization, then a layer that is not reserved."""
    return head.startswith(b"ID3") or (_is_synchronized(head) and head[1] & 0b110 != 0)


def _is_aac(head: bytes) -> bool:
    return _is_synchronized(head) and head[1] & 0b1111_0110 == 0b1111_0000


def _is_synchronized(head: bytes) -> bool:
    return len(head) > 1 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0


_SIGNATURES: Mapping[AudioFormat, Callable[[bytes], bool]] = {
    "mp3": _is_mp3,
    "aac": _is_aac,
    "opus": lambda head: head.startswith(b"OggS"),
    "flac": lambda head: head.startswith(b"fLaC"),
    "wav": lambda head: head.startswith(b"RIFF") and head[8:12] == b"WAVE",
}
