"""POST /v1/audio/transcriptions and /v1/audio/translations."""

from typing import Any

from fastapi import Request, Response

from callmissed.web.openapi import answer
from callmissed_ai.services.transcription import work
from callmissed_ai.services.transcription.request import TranscriptionRequest, TranslationRequest
from functions.inference.call_router import CallDescription, CallRouter
from functions.inference.multipart import MEDIA_TYPE
from functions.inference.serving import serve

_HEARD = {"text": "A short sentence.", "usage": {"type": "duration", "seconds": 1.25}}
_CAPTIONS = "1\n00:00:00,000 --> 00:00:01,250\nA short sentence.\n"


def _answer(*more: str) -> dict[str, Any]:
    """The text in each of its formats, and `more` media types."""
    described: dict[str, Any] = answer("TranscriptionOut", _HEARD)
    texts = {"text/plain": "A short sentence.\n", "application/x-subrip": _CAPTIONS, "text/vtt": "WEBVTT\n\n"}
    schema = {"type": "string"}
    described["content"] |= {name: {"schema": schema, "example": text} for name, text in texts.items()}
    described["content"] |= {name: {"schema": schema} for name in more}
    return {"description": "The text, in the format that was asked for.", **described}


router = CallRouter("audio")


@router.call(
    "/v1/audio/transcriptions",
    summary="Transcribe audio",
    description=CallDescription(
        request=TranscriptionRequest,
        example={"model": "sandbox-stt", "file": "audio.wav", "response_format": "json"},
        answer=_answer("text/event-stream"),
        media_type=MEDIA_TYPE,
        as_json={"model": "sandbox-stt", "file_id": "file-019ac5b1f3d86a1b2c3d4e5f60718293"},
    ),
)
async def create_transcription(request: Request) -> Response:
    """Turn speech into text, in the OpenAI dialect: a form of up to 4 MB with one `file`, or a form or a
    JSON object that names a stored one of up to 25 MB by `file_id`. Such a file has the purpose `audio`; if it is
    deleted before the provider is asked, the call fails and costs nothing.

    The cost is the model's price of an hour times the length of the audio, which is measured in its frames, or the
    provider's own figure where that is longer, rounded up to a millisecond and the same for every `response_format`.
    A call that fails costs nothing; a stream that breaks after its first text costs the whole audio. With an
    `Idempotency-Key` it runs and costs once in 24 hours.
    """
    return await serve(request, work.SERVICE)


@router.call(
    "/v1/audio/translations",
    summary="Translate audio into English",
    description=CallDescription(
        request=TranslationRequest,
        example={"model": "sandbox-stt", "file": "audio.wav"},
        answer=_answer(),
        media_type=MEDIA_TYPE,
        as_json={"model": "sandbox-stt", "file_id": "file-019ac5b1f3d86a1b2c3d4e5f60718293"},
    ),
)
async def create_translation(request: Request) -> Response:
    """Turn speech of any language into English text. Form, formats and cost are those of transcriptions."""
    return await serve(request, work.TRANSLATION)
