"""The sandbox speaks: by an engine of the machine, else with a tone as long as the words would be."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from callmissed_ai.audio.formats import AudioFormat, default_rate, media_type
from callmissed_ai.providers.sandbox.media.engines import spoken_by_engine
from callmissed_ai.providers.sandbox.media.samples import encoded, resampled
from callmissed_ai.providers.sandbox.media.tones import tone_mp3, tone_samples
from callmissed_ai.providers.sandbox.rejection import Rejected
from callmissed_ai.providers.speaking.scripts import language_of

TONE = "tone"
FORMATS = ("mp3", "wav", "pcm", "mulaw", "alaw")
_CHARACTERS_PER_SECOND = 15
_MAX_PIECE_BYTES = 8_192
_MIN_PIECES = 4
_ENGLISH = "en"


@dataclass(frozen=True, slots=True)
class Speech:
    """Audio in pieces, its media type, and what made it."""

    pieces: list[bytes]
    media_type: str
    engine: str


async def speech(body: Mapping[str, Any]) -> Speech:
    """The text of a speech call's `body`. Raises Rejected for a format that needs an encoder."""
    audio_format = body["response_format"]
    if audio_format not in FORMATS:
        raise Rejected(f"The sandbox makes {', '.join(FORMATS)}, and no {audio_format}.", "response_format")
    return await asyncio.to_thread(_speech, body, audio_format)


def _speech(body: Mapping[str, Any], audio_format: AudioFormat) -> Speech:
    rate, speed = body.get("speech_sample_rate") or default_rate(audio_format), body.get("speed") or 1.0
    text: str = body["input"]
    language = str(body.get("language") or language_of(text) or _ENGLISH).partition("-")[0].lower()
    seconds = len(text) / _CHARACTERS_PER_SECOND / speed
    kind = media_type(audio_format, rate)
    if audio_format == "mp3":
        return Speech(_pieces(tone_mp3(seconds, rate)), kind, TONE)
    voice = spoken_by_engine(text, language, speed)
    samples = resampled(voice.samples, voice.rate, rate) if voice else tone_samples(seconds, rate)
    return Speech(_pieces(encoded(samples, audio_format, rate)), kind, voice.engine if voice else TONE)


def _pieces(audio: bytes) -> list[bytes]:
    size = max(1, min(_MAX_PIECE_BYTES, len(audio) // _MIN_PIECES))
    return [audio[place : place + size] for place in range(0, len(audio), size)]
