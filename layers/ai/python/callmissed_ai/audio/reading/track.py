"""What all formats are read into: the frames of a track, each with the samples that a decoder makes of it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

MAX_TRACKS = 16
MIN_RATE, MAX_RATE = 1_000, 768_000
MAX_CHANNELS = 64

Frame = tuple[bytes, int]
"""The bytes of a frame and its samples."""


class NotAudio(Exception):
    """The bytes are no audio that can be read; the message says why, for the caller."""


@dataclass(frozen=True, slots=True)
class Track:
    """One track. `frames` reads it from its start; `head` is what a decoder needs before the first frame."""

    codec: str
    rate: int
    channels: int
    frames: Callable[[], Iterator[Frame]]
    head: bytes = b""


Links = Sequence[Sequence[Track]]
"""The parts of a file that follow each other, nearly always one, with the tracks that sound together."""


def checked_rate(rate: int) -> int:
    """`rate` itself. Raises NotAudio for one that no recording has."""
    if not MIN_RATE <= rate <= MAX_RATE:
        raise NotAudio(f"a sample rate of {rate} Hz")
    return rate


def checked_channels(channels: int) -> int:
    """`channels` itself. Raises NotAudio for none, or more than any recording has."""
    if not 1 <= channels <= MAX_CHANNELS:
        raise NotAudio(f"{channels} channels")
    return channels
