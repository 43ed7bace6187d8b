"""Which of OpenAI's models can do what, and the form that they get.

https://developers.openai.com/api/docs/guides/speech-to-text
"""

from collections.abc import Iterator
from typing import Literal

from callmissed_ai.audio.fields import DEEPGRAM_FIELDS
from callmissed_ai.services.transcription.formats import TIMED
from callmissed_ai.services.transcription.request import TranscriptionRequest, unsupported
from callmissed_ai.transports.base import UpstreamCall
from callmissed_ai.transports.multipart import FilePart, form_call
from callmissed_ai.transports.paths import TRANSCRIPTIONS, TRANSLATIONS

Family = Literal["whisper", "transcribe", "diarize"]
_MAX_PROMPT = 1_000
"""Characters of a prompt for models that are paid by the token, of which a price by the hour covers few."""

_RICHEST = {"whisper": "verbose_json", "transcribe": "json", "diarize": "diarized_json"}


def family_of(upstream_id: str) -> Family:
    """What a model can do, by its name: `gpt-4o-transcribe` answers with text alone, Whisper with times."""
    if "diarize" in upstream_id:
        return "diarize"
    return "transcribe" if "transcribe" in upstream_id else "whisper"


def check(request: TranscriptionRequest, family: Family, *, english: bool) -> None:
    """Raise ApiError 400, which names the field, for what models of the family don't have."""
    if refused := _missing(request, family, english=english):
        field, why = refused
        raise unsupported(field, f"This model {why}.")


def _missing(request: TranscriptionRequest, family: Family, *, english: bool) -> tuple[str, str] | None:
    if own := next((name for name in DEEPGRAM_FIELDS if getattr(request, name) is not None), None):
        return own, f"has no field '{own}': it is Deepgram's"
    if (english or request.mode == "translate") and family != "whisper":
        return ("model" if english else "mode"), "does not translate"
    if request.mode not in ("transcribe", "translate"):
        return "mode", f"has no mode '{request.mode}'"
    if request.diarize and family != "diarize":
        return "diarize", "does not separate speakers"
    return _missing_format(request, family)


def _missing_format(request: TranscriptionRequest, family: Family) -> tuple[str, str] | None:
    wanted, granularities = request.response_format, request.timestamp_granularities or []
    if (wanted in TIMED and family == "transcribe") or (wanted == "diarized_json" and family != "diarize"):
        return "response_format", f"has no format '{wanted}'"
    if (family == "transcribe" and granularities) or (family == "diarize" and "word" in granularities):
        return "timestamp_granularities", "gives no such times"
    if request.stream and family == "whisper":
        return "stream", "does not stream"
    if request.include and family != "transcribe":
        return "include", "gives no log probabilities"
    if request.chunking_strategy and family == "whisper":
        return "chunking_strategy", "has no such field"
    return _missing_prompt(request.prompt or "", family)


def _missing_prompt(prompt: str, family: Family) -> tuple[str, str] | None:
    if prompt and family == "diarize":
        return "prompt", "takes no prompt"
    if len(prompt) > _MAX_PROMPT and family == "transcribe":
        return "prompt", f"takes a prompt of {_MAX_PROMPT:,} characters at most"
    return None


def form(request: TranscriptionRequest, model: str, file: FilePart, *, english: bool) -> UpstreamCall:
    """The form for a model."""
    translates = english or request.mode == "translate"
    path = TRANSLATIONS if translates else TRANSCRIPTIONS
    return form_call(path, _fields(request, model, file, translates=translates))


def _fields(
    request: TranscriptionRequest, model: str, file: FilePart, *, translates: bool
) -> Iterator[tuple[str, str | FilePart]]:
    family = family_of(model)
    yield "model", model
    yield "response_format", _RICHEST[family]
    if request.language and not translates:
        yield "language", request.language.split("-")[0].lower()
    if request.prompt:
        yield "prompt", request.prompt
    if request.temperature is not None:
        yield "temperature", str(request.temperature)
    for each in _granularities(request) if family == "whisper" and not translates else ():
        yield "timestamp_granularities[]", each
    for each in request.include or ():
        yield "include[]", each
    if family == "diarize" or request.chunking_strategy:
        yield "chunking_strategy", request.chunking_strategy or "auto"
    if request.stream:
        yield "stream", "true"
    yield "file", file


def _granularities(request: TranscriptionRequest) -> tuple[str, ...]:
    return ("word", "segment") if "word" in (request.timestamp_granularities or []) else ("segment",)
