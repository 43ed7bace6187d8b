"""Cuts audio into pieces of a bounded length at its quietest places, without decoding it.

Where a codec spends few bits there is little to hear: the smallest frames are the quietest. PCM is measured.
A piece is a file of its own, in the codec of the whole one.
"""

import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from callmissed_ai.audio.reading import mp4, ogg, wav
from callmissed_ai.audio.reading.files import AudioFile, first_track
from callmissed_ai.audio.reading.track import Frame, NotAudio, Track

_SEARCHED = 0.3
"""The part at the end of a piece in which its quietest place is looked for."""

_WINDOW_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a file that begins so many seconds after its start."""

    start: float
    seconds: float
    body: bytes
    media_type: str


_CUT = frozenset({"pcm", "mulaw", "alaw", "float", "mp3", "aac", "flac", "opus"})


def check_cut(audio: AudioFile) -> Track:
    """The track of a file that can be cut. Raises NotAudio for what can't be."""
    track = first_track(audio.links)
    if track.codec not in _CUT:
        raise NotAudio(f"its codec is {track.codec}")
    if audio.format == "m4a" and track.codec == "aac":
        mp4.adts_frame(track, b"")
    return track


def cut(audio: AudioFile, max_seconds: float) -> list[Piece]:
    """The pieces of `audio`, each at most `max_seconds` long. Raises NotAudio for what can't be cut."""
    track = check_cut(audio)
    pieces: list[Piece] = []
    begun = 0
    for frames in _parts(track, list(track.frames()), int(max_seconds * track.rate)):
        samples = sum(count for _, count in frames)
        body, media_type = _written(audio, track, frames)
        pieces.append(Piece(begun / track.rate, samples / track.rate, body, media_type))
        begun += samples
    return pieces


def _parts(track: Track, frames: Sequence[Frame], most: int) -> Iterator[Sequence[Frame]]:
    start = 0
    while start < len(frames):
        end, samples = start, 0
        while end < len(frames) and samples + frames[end][1] <= most:
            samples, end = samples + frames[end][1], end + 1
        if end < len(frames):
            end = _quietest(track, frames, max(start + 1, end - int((end - start) * _SEARCHED)), max(start + 1, end))
        yield frames[start:end]
        start = end


def _quietest(track: Track, frames: Sequence[Frame], first: int, last: int) -> int:
    """The middle of the quietest window between two places; the latest of equals."""
    usual = max(1, frames[first - 1][1])
    width = max(1, int(_WINDOW_SECONDS * track.rate / usual))
    loud = [_loudness(track, body) for body, _ in frames[first:last]]
    if len(loud) <= width:
        return last
    total = least = sum(loud[:width])
    found = 0
    for place in range(1, len(loud) - width + 1):
        total += loud[place + width - 1] - loud[place - 1]
        if total <= least:
            least, found = total, place
    return first + found + width // 2


def _loudness(track: Track, body: bytes) -> int:
    if track.codec != "pcm" or int.from_bytes(track.head[14:16], "little") != 16:
        return len(body)
    samples = array.array("h", body)
    return max(samples, default=0) - min(samples, default=0)


def _written(audio: AudioFile, track: Track, frames: Sequence[Frame]) -> tuple[bytes, str]:
    bodies = [body for body, _ in frames]
    if track.codec == "opus":
        return ogg.piece(_with_head(track), frames), "audio/ogg"
    if track.codec == "aac" and audio.format in ("m4a", "webm"):
        return b"".join(mp4.adts_frame(track, body) for body in bodies), "audio/aac"
    if track.codec in ("mp3", "aac"):
        return b"".join(bodies), "audio/mpeg" if track.codec == "mp3" else "audio/aac"
    if track.codec == "flac":
        return track.head + b"".join(bodies), "audio/flac"
    return wav.piece(track, b"".join(bodies)), "audio/wav"


def _with_head(track: Track) -> Track:
    """The Opus track with the head that Ogg needs, where it comes from another container."""
    if track.head:
        return track
    head = b"OpusHead" + bytes([1, min(track.channels, 2)]) + bytes(2) + (48_000).to_bytes(4, "little") + bytes(3)
    return Track(track.codec, track.rate, track.channels, track.frames, head)
