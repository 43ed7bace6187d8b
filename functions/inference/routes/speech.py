"""POST /v1/audio/speech."""

from fastapi import Request, Response

from callmissed.idempotency.requests import HEADER
from callmissed.web.openapi import reference
from callmissed_ai.services.speech.request import SpeechRequest
from callmissed_ai.services.speech.service import speech_service
from callmissed_ai.streams.sse import MEDIA_TYPE
from functions.inference.call_router import CallDescription, CallRouter
from functions.inference.serving import serve

_DELTA = '{"type": "speech.audio.delta", "audio": "UklGRv"}'
_BINARY = {"schema": {"type": "string", "format": "binary"}}
_DESCRIPTION = CallDescription(
    request=SpeechRequest,
    example={"model": "sandbox-tts", "input": "Hello!", "voice": "alto", "response_format": "wav"},
    answer={
        "description": "The audio. `Content-Type` is what the bytes are; with `stream_format` `sse`, events with a "
        "base64 each, the schema being that of one event.",
        "content": {
            "audio/*": _BINARY,
            MEDIA_TYPE: {"schema": reference("SpeechEventOut"), "example": {"data": _DELTA}},
        },
    },
)

router = CallRouter("audio")


@router.call("/v1/audio/speech", summary="Create speech", description=_DESCRIPTION)
async def create_speech(request: Request) -> Response:
    """Speak a text of up to 10,000 code points.

    The cost is the model's price times the code points of `input`, whatever the format: nothing for a call that fails
    before the first byte, all of it afterwards. Bytes leave as they are made; audio that breaks off is cut and has no
    end. With an `Idempotency-Key` the audio is sent when it is whole, and the call runs and costs once in 24 hours;
    events ignore the key.
    """
    return await serve(request, speech_service(keyed=HEADER in request.headers))
