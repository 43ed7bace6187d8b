"""Speech of Cloudflare Workers AI: Deepgram's Aura, which answers with bytes, and MeloTTS, with base64 in JSON.

https://developers.cloudflare.com/workers-ai/models/aura-2-en and …/melotts
"""

from collections.abc import Mapping
from typing import Any, cast

from callmissed_ai.providers.speaking.encodings import encoding_of, rates_of
from callmissed_ai.providers.speaking.request import AskedSpeech
from callmissed_ai.providers.speaking.transport import JOINED, SpeakingTransport
from callmissed_ai.transports.base import Transport, UpstreamCall

MAX_AURA_CHARACTERS = 2_000
_MELO = "melotts"
_MELO_FORMATS = frozenset({"mp3", "wav"})
"""MP3 by its schema, WAV by what callers of it have seen: a reply in the other one is refused, and costs nothing."""

_NO_LIMIT = 10_000


class _Speech:
    """Implements `SpeakingApi`."""

    def check(self, call: UpstreamCall) -> None:
        """See `NativeApi.check`."""
        asked = AskedSpeech.of(call)
        asked.check_no_instructions()
        if asked.speed not in (None, 1):
            raise asked.unknown("speed")
        if _is_melo(asked):
            asked.check_format(_MELO_FORMATS)
            asked.check_rate(())
            return
        asked.check_rate(rates_of(asked.format))
        asked.check_language({asked.model.rpartition("-")[2]})
        asked.check_length(MAX_AURA_CHARACTERS, JOINED)

    def transport(self, http: Transport) -> Transport:
        """See `NativeApi.transport`."""
        return SpeakingTransport(self, http)

    def limit(self, asked: AskedSpeech) -> int:
        """See `SpeakingApi.limit`: none is documented for MeloTTS."""
        return _NO_LIMIT if _is_melo(asked) else MAX_AURA_CHARACTERS

    def request(self, asked: AskedSpeech, text: str) -> UpstreamCall:
        """See `SpeakingApi.request`."""
        if _is_melo(asked):
            language = {"lang": asked.primary_language} if asked.primary_language else {}
            return UpstreamCall(f"/{asked.model}", {"prompt": text, **language})
        body: dict[str, Any] = {"text": text, **encoding_of(asked)}
        if "sample_rate" in body:
            body["sample_rate"] = int(body["sample_rate"])
        if asked.voice is not None:
            body["speaker"] = asked.voice
        return UpstreamCall(f"/{asked.model}", body)

    def encoded(self, reply: Mapping[str, Any]) -> object:
        """See `SpeakingApi.encoded`."""
        result = reply.get("result")
        return cast("Mapping[str, Any]", result).get("audio") if isinstance(result, dict) else None


def _is_melo(asked: AskedSpeech) -> bool:
    return asked.model.endswith(_MELO)


API = _Speech()
