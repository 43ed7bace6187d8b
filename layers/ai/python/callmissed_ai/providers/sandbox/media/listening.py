"""English as pocketsphinx hears it, on machines that have it (`pip install pocketsphinx`)."""

import array
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from callmissed_ai.audio.reading.files import AudioFile, first_track
from callmissed_ai.audio.reading.track import NotAudio, Track
from callmissed_ai.providers.sandbox.media.samples import resampled

_RATE = 16_000
_MAX_SECONDS = 60
_FRAMES_A_SECOND = 100
_GRAVE_MARKS = ("<", "[")

Heard = tuple[Sequence[Mapping[str, Any]], Sequence[Mapping[str, Any]]]
"""Segments and words."""


def heard(audio: AudioFile) -> Heard | None:
    """What is said in a WAV file of up to a minute; None where the engine is not there, or can't take it."""
    if audio.format != "wav" or audio.milliseconds > _MAX_SECONDS * 1_000:
        return None
    try:
        track = first_track(audio.links)
    except NotAudio:
        return None
    if track.codec != "pcm" or int.from_bytes(track.head[14:16], "little") != 16:
        return None
    decoder = _decoder()
    if decoder is None:
        return None
    decoder.start_utt()
    decoder.process_raw(_samples(track), False, True)
    decoder.end_utt()
    words = [_word(each) for each in decoder.seg() if not each.word.startswith(_GRAVE_MARKS)]
    if not words:
        return [], []
    text = " ".join(word["word"] for word in words)
    return [{"start": words[0]["start"], "end": words[-1]["end"], "text": text}], words


@cache
def _decoder() -> Any:
    try:
        from pocketsphinx import Decoder  # pyright: ignore  # an extra, and never in a bundle
    except ImportError:
        return None
    return Decoder(samprate=_RATE, loglevel="FATAL")  # pyright: ignore


def _samples(track: Track) -> bytes:
    """The first channel at 16 kHz."""
    channel = array.array("h", b"".join(body for body, _ in track.frames()))[:: track.channels]
    return resampled(channel, track.rate, _RATE).tobytes()


def _word(segment: Any) -> Mapping[str, Any]:
    return {
        "word": segment.word.split("(")[0],
        "start": segment.start_frame / _FRAMES_A_SECOND,
        "end": (segment.end_frame + 1) / _FRAMES_A_SECOND,
    }
