"""ElevenLabs' text to speech, streamed. https://elevenlabs.io/docs/api-reference/text-to-speech/stream

A voice is an id of the operator's account. `voice_settings.speed` is 0.7 to 1.2; `language_code` is of two letters.
"""

import re
from collections.abc import Collection, Mapping
from typing import Any

from callmissed_ai.audio.formats import AudioFormat
from callmissed_ai.providers.speaking.request import AskedSpeech
from callmissed_ai.providers.speaking.transport import SpeakingTransport
from callmissed_ai.transports.base import Transport, UpstreamCall

MAX_CHARACTERS = 10_000
_DEFAULT_VOICE = "JBFqnCBsd6RMkjVDRZzb"
"""George, the voice of the documentation's examples."""

_VOICE = re.compile(r"[A-Za-z0-9]{16,32}")
_MP3: Mapping[int | None, str] = {None: "mp3_44100_128", 22_050: "mp3_22050_32", 24_000: "mp3_24000_48"}
_RATES: Mapping[AudioFormat, Collection[int]] = {
    "mp3": frozenset({22_050, 24_000}),
    "opus": frozenset({48_000}),
    "pcm": frozenset({8_000, 16_000, 22_050, 24_000, 48_000}),
    "mulaw": frozenset({8_000}),
    "alaw": frozenset({8_000}),
}


class _ElevenLabs:
    """Implements `NativeApi` and `SpeakingApi`."""

    def check(self, call: UpstreamCall) -> None:
        """See `NativeApi.check`."""
        asked = AskedSpeech.of(call)
        asked.check_format(_RATES)
        asked.check_rate(_RATES[asked.format])
        asked.check_speed(0.7, 1.2)
        asked.check_no_instructions()

    def transport(self, http: Transport) -> Transport:
        """See `NativeApi.transport`."""
        return SpeakingTransport(self, http)

    def limit(self, asked: AskedSpeech) -> int:
        """See `SpeakingApi.limit`: the model's own, above ours or refused by it."""
        return MAX_CHARACTERS

    def request(self, asked: AskedSpeech, text: str) -> UpstreamCall:
        """See `SpeakingApi.request`."""
        body: dict[str, Any] = {"text": text, "model_id": asked.model}
        if asked.primary_language is not None:
            body["language_code"] = asked.primary_language
        if asked.speed is not None:
            body["voice_settings"] = {"speed": asked.speed}
        return UpstreamCall(f"/text-to-speech/{_voice(asked)}/stream?output_format={_output_format(asked)}", body)

    def encoded(self, reply: Mapping[str, Any]) -> object:
        """See `SpeakingApi.encoded`: a reply is audio."""
        return None


def _voice(asked: AskedSpeech) -> str:
    return asked.voice if asked.voice and _VOICE.fullmatch(asked.voice) else _DEFAULT_VOICE


def _output_format(asked: AskedSpeech) -> str:
    match asked.format:
        case "mp3":
            return _MP3[asked.rate]
        case "opus":
            return "opus_48000_64"
        case "mulaw":
            return "ulaw_8000"
        case name:
            return f"{name}_{asked.samples_per_second}"


API = _ElevenLabs()
