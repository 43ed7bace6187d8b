"""Sarvam's text to speech: streamed bytes up to 24 kHz, above that a JSON with base64.

https://docs.sarvam.ai/api-reference-docs/text-to-speech/convert and …/convert-stream: the first takes 2,500
characters, the other 3,500. Sample rates above 24 kHz, and that Opus has no 22,050:
https://docs.sarvam.ai/api-reference-docs/api-guides-tutorials/text-to-speech/how-to/set-the-sample-rate
"""

from collections.abc import Mapping
from typing import Any, cast

from callmissed_ai.providers.speaking.request import AskedSpeech
from callmissed_ai.providers.speaking.scripts import language_of
from callmissed_ai.providers.speaking.transport import JOINED, SpeakingTransport
from callmissed_ai.transports.base import Transport, UpstreamCall

STREAMED_CHARACTERS, WHOLE_CHARACTERS = 3_500, 2_500
_MAX_STREAMED_RATE = 24_000
_RATES = frozenset({8_000, 16_000, 22_050, 24_000, 48_000})
_OPUS_RATES = _RATES - {22_050}
_CODECS = {"mp3", "opus", "aac", "flac", "wav", "mulaw", "alaw"}
_LANGUAGES = frozenset({"bn", "en", "gu", "hi", "kn", "ml", "mr", "od", "or", "pa", "ta", "te"})
_ENGLISH = "en"


class _Speech:
    """Implements `SpeakingApi`."""

    def check(self, call: UpstreamCall) -> None:
        """See `NativeApi.check`."""
        asked = AskedSpeech.of(call)
        asked.check_format(_CODECS | {"pcm"})
        asked.check_rate(_OPUS_RATES if asked.format == "opus" else _RATES)
        asked.check_speed(0.5, 2.0)
        asked.check_language(_LANGUAGES)
        asked.check_no_instructions()
        asked.check_length(self.limit(asked), JOINED)

    def transport(self, http: Transport) -> Transport:
        """See `NativeApi.transport`."""
        return SpeakingTransport(self, http)

    def limit(self, asked: AskedSpeech) -> int:
        """See `SpeakingApi.limit`."""
        return STREAMED_CHARACTERS if _is_streamed(asked) else WHOLE_CHARACTERS

    def request(self, asked: AskedSpeech, text: str) -> UpstreamCall:
        """See `SpeakingApi.request`."""
        body: dict[str, Any] = {
            "text": text,
            "target_language_code": f"{_language(asked)}-IN",
            "model": asked.model,
            "speech_sample_rate": asked.samples_per_second,
            "output_audio_codec": "linear16" if asked.format == "pcm" else asked.format,
        }
        if asked.voice is not None:
            body["speaker"] = asked.voice
        if asked.speed is not None:
            body["pace"] = asked.speed
        return UpstreamCall("/text-to-speech/stream" if _is_streamed(asked) else "/text-to-speech", body)

    def encoded(self, reply: Mapping[str, Any]) -> object:
        """See `SpeakingApi.encoded`."""
        audios = reply.get("audios")
        return cast("list[object]", audios)[0] if isinstance(audios, list) and audios else None


def _is_streamed(asked: AskedSpeech) -> bool:
    return asked.samples_per_second <= _MAX_STREAMED_RATE


def _language(asked: AskedSpeech) -> str:
    """The language: that of the caller, else that of the script. Sarvam's code of Odia is `od`."""
    if asked.primary_language:
        return "od" if asked.primary_language == "or" else asked.primary_language
    return language_of(asked.text) or _ENGLISH


API = _Speech()
