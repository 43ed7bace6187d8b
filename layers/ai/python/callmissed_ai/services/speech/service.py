"""Speech from a request to a priced call."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from callmissed.catalog.model import SANDBOX, Catalog, Category, Model, ProviderRoute
from callmissed.errors import invalid_request
from callmissed.platform.routes import Permission
from callmissed_ai.audio.formats import RAW_FORMATS, media_type
from callmissed_ai.services.service import Service
from callmissed_ai.services.speech.meter import Bytes, Events, SpeechMeter, closing
from callmissed_ai.services.speech.request import SpeechRequest
from callmissed_ai.services.unit_work import UnitWork, model_for, parsed_request
from callmissed_ai.streams.sse import MEDIA_TYPE as EVENTS
from callmissed_ai.transports.base import UpstreamCall
from callmissed_ai.transports.paths import SPEECH
from callmissed_ai.work import Meter

_OPENAI_FORMATS = frozenset({"mp3", "opus", "aac", "flac", "wav", "pcm"})
_OPENAI_RATE = 24000
_OPENAI_VOICE = "alloy"
_FREE_INSTRUCTIONS = 1_000
"""Characters that a price of the text covers beside it, for models that are paid by the token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechWork(UnitWork):
    """A priced text; implements `Work`. A text has its code points, so the hold is the cost."""

    request: SpeechRequest
    streamed: bool
    media_type: str

    permission = Permission.TTS
    service = "tts"
    quota = "tts"

    @property
    def max_quantity(self) -> int:
        """The code points of the text."""
        return len(self.request.input)

    def call_for(self, model: Model, route: ProviderRoute) -> UpstreamCall:
        """The text with the fields that the caller set. Raises ApiError 400 for what OpenAI's API doesn't have."""
        asked = self.request
        body: dict[str, Any] = {
            "model": route.upstream_id,
            "input": asked.input,
            "voice": _voice(model, asked.voice_id),
            "response_format": asked.format,
            "speed": asked.speed,
            "instructions": asked.instructions or None,
            "language": asked.language,
            "speech_sample_rate": asked.speech_sample_rate,
        }
        has_openai_fields = route.provider != SANDBOX and self.providers[route.provider].dialect != "native"
        if has_openai_fields:
            self._check_instructions(route)
            body = _in_openai_fields(body)
        asked_fields = {name: value for name, value in body.items() if value is not None}
        return UpstreamCall(SPEECH, asked_fields, wants_samples=has_openai_fields and asked.format in RAW_FORMATS)

    def _check_instructions(self, route: ProviderRoute) -> None:
        """Raise ApiError 400 for instructions that cost more than the text pays for."""
        most = max(_FREE_INSTRUCTIONS, len(self.request.input))
        if len(self.request.instructions or "") <= most:
            return
        if "instructions" not in self.providers[route.provider].unpriced_fields:
            message = f"Invalid 'instructions': at most {_FREE_INSTRUCTIONS:,} characters, or as many as 'input' has."
            raise invalid_request(message, "instructions")

    def meter(self, model: Model, route: ProviderRoute, *, sandboxed: bool = False) -> Meter:
        """See `Work.meter`."""
        characters = self.max_quantity
        passage = Events({"characters": characters}) if self.request.as_events else Bytes()
        return SpeechMeter(self.request.format, model, characters, passage)


def speech_service(*, keyed: bool) -> Service:
    """Speech for a request with or without an Idempotency-Key: with one the audio is whole before it is sent."""
    return Service(Permission.TTS, partial(parse, keyed=keyed), closing)


def parse(catalog: Catalog, body: Mapping[str, Any], _size: int, *, keyed: bool = False) -> SpeechWork:
    """The work of a request's `body`. Raises ApiError 400, 404 or 503."""
    request = parsed_request(SpeechRequest, body)
    model = model_for(catalog, request.model, Category.TTS, "for speech")
    return SpeechWork(
        models=(model,),
        model_id=model.id,
        providers=catalog.providers,
        request=request,
        streamed=request.as_events or not keyed,
        media_type=EVENTS if request.as_events else media_type(request.format, request.rate),
    )


def _voice(model: Model, asked: str | None) -> str | None:
    """The voice that speaks: of a model whose voices are known always one of them."""
    if not model.voices or asked in model.voices:
        return asked
    return asked.lower() if asked and asked.lower() in model.voices else model.voices[0]


def _in_openai_fields(body: Mapping[str, Any]) -> dict[str, Any]:
    """`body` as OpenAI's API has it. Raises ApiError 400 that names a field which it lacks."""
    if body["response_format"] not in _OPENAI_FORMATS:
        shown = body["response_format"]
        raise invalid_request(f"This model's provider does not make {shown}.", "response_format")
    if body["speech_sample_rate"] not in (None, _OPENAI_RATE):
        message = f"This model's provider makes {_OPENAI_RATE:,} samples a second."
        raise invalid_request(message, "speech_sample_rate")
    if body["language"] is not None:
        raise invalid_request("This model finds the language in the text.", "language")
    own = {name: value for name, value in body.items() if name not in ("language", "speech_sample_rate")}
    return {**own, "voice": body["voice"] or _OPENAI_VOICE}
