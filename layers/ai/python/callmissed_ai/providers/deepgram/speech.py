"""Deepgram's text to speech, by voices of Aura.

https://developers.deepgram.com/reference/text-to-speech/speak-request; 2,000 characters a request:
https://developers.deepgram.com/docs/text-to-speech. What goes together of encodings, containers and sample rates:
https://developers.deepgram.com/docs/tts-media-output-settings#audio-format-combinations. Speeds:
https://developers.deepgram.com/docs/tts-voice-controls
"""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from callmissed_ai.providers.speaking.encodings import encoding_of, rates_of
from callmissed_ai.providers.speaking.request import AskedSpeech
from callmissed_ai.providers.speaking.transport import JOINED, SpeakingTransport
from callmissed_ai.transports.base import Transport, UpstreamCall

MAX_CHARACTERS = 2_000
_FAMILY = re.compile(r"(aura(?:-\d+)?)-([a-z]{2})")


class _Speech:
    """Implements `SpeakingApi`."""

    def check(self, call: UpstreamCall) -> None:
        """See `NativeApi.check`."""
        asked = AskedSpeech.of(call)
        asked.check_rate(rates_of(asked.format))
        asked.check_speed(0.7, 1.5)
        asked.check_language({asked.model.rpartition("-")[2]})
        asked.check_no_instructions()
        asked.check_length(MAX_CHARACTERS, JOINED)

    def transport(self, http: Transport) -> Transport:
        """See `NativeApi.transport`."""
        return SpeakingTransport(self, http)

    def limit(self, asked: AskedSpeech) -> int:
        """See `SpeakingApi.limit`."""
        return MAX_CHARACTERS

    def request(self, asked: AskedSpeech, text: str) -> UpstreamCall:
        """See `SpeakingApi.request`."""
        query = {"model": _model(asked), **encoding_of(asked)}
        if asked.speed not in (None, 1):
            query["speed"] = str(asked.speed)
        return UpstreamCall(f"/speak?{urlencode(query)}", {"text": text})

    def encoded(self, reply: Mapping[str, Any]) -> object:
        """See `SpeakingApi.encoded`: a reply is audio."""
        return None


def _model(asked: AskedSpeech) -> str:
    """The voice is a part of the model's name: `aura-2-en` and `luna` are `aura-2-luna-en`."""
    family = _FAMILY.fullmatch(asked.model)
    return f"{family[1]}-{asked.voice}-{family[2]}" if family and asked.voice else asked.model


API = _Speech()
