"""Formats in Deepgram's words, which Cloudflare has for Deepgram's models too.

https://developers.deepgram.com/docs/tts-media-output-settings#audio-format-combinations
"""

from collections.abc import Collection, Mapping

from callmissed_ai.audio.formats import AudioFormat
from callmissed_ai.providers.speaking.request import AskedSpeech

_ENCODINGS: Mapping[AudioFormat, tuple[str, str | None]] = {
    "mp3": ("mp3", None),
    "opus": ("opus", "ogg"),
    "flac": ("flac", None),
    "aac": ("aac", None),
    "wav": ("linear16", "wav"),
    "pcm": ("linear16", "none"),
    "mulaw": ("mulaw", "none"),
    "alaw": ("alaw", "none"),
}
"""Encoding and container of each format."""

_LINEAR = frozenset({8_000, 16_000, 24_000, 48_000})
_TELEPHONY = frozenset({8_000, 16_000})
_RATES: Mapping[AudioFormat, Collection[int]] = {
    "mp3": frozenset({22_050}),
    "opus": frozenset({48_000}),
    "flac": frozenset({8_000, 16_000, 22_050, 48_000}),
    "aac": frozenset({22_050}),
    "wav": _LINEAR,
    "pcm": _LINEAR,
    "mulaw": _TELEPHONY,
    "alaw": _TELEPHONY,
}
_FIXED = frozenset({"mp3", "opus", "aac"})
"""Formats whose one rate can't be named."""


def rates_of(audio_format: AudioFormat) -> Collection[int]:
    """The sample rates of a format."""
    return _RATES[audio_format]


def encoding_of(asked: AskedSpeech) -> dict[str, str]:
    """The fields that ask for the format, and for the sample rate where it can be named."""
    encoding, container = _ENCODINGS[asked.format]
    fields = {"encoding": encoding}
    if container is not None:
        fields["container"] = container
    if asked.format not in _FIXED and (asked.rate is not None or asked.format != "flac"):
        fields["sample_rate"] = str(asked.samples_per_second)
    return fields
