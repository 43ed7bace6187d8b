"""POST /v1/chat/completions."""

from fastapi import Request, Response

from callmissed.web.openapi import JSON, reference
from callmissed_ai.dialects.openai_chat.request import ChatRequest
from callmissed_ai.services.chat import chat_service
from functions.inference.call_router import CallDescription, CallRouter
from functions.inference.serving import serve

_CHUNK = '{"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {"content": "Hel"}}]}'
_DESCRIPTION = CallDescription(
    request=ChatRequest,
    example={"model": "sandbox", "messages": [{"role": "user", "content": "Hello!"}], "stream": True},
    answer={
        "description": "A `chat.completion`, or its chunks as server-sent events when `stream` is true. The schema of "
        "`text/event-stream` is that of one event.",
        "content": {
            JSON: {"schema": reference("ChatCompletionOut")},
            "text/event-stream": {"schema": reference("ServerSentEventOut"), "example": {"data": _CHUNK}},
        },
    },
)

_SERVICE = chat_service("openai_chat")
router = CallRouter("chat")


@router.call("/v1/chat/completions", summary="Create a chat completion", description=_DESCRIPTION)
async def chat_completions(request: Request) -> Response:
    """Create a chat completion, blocking or streaming, in the OpenAI dialect.

    The cost is the model's price times the reported tokens; it is settled before the last byte leaves. Bodies up to
    4 MB, with at most 2,000 content parts and 250 images. A field that may change the provider's price is refused with
    `unsupported_field`. `X-Generation-Id` names the call for `GET /v1/generation`. A stream ends with `data: [DONE]`,
    or with an event that carries an `error`. With an `Idempotency-Key` a blocking call runs and costs once in 24 hours.
    """
    return await serve(request, _SERVICE)
