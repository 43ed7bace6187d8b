"""POST /v1/responses."""

from fastapi import Request, Response

from callmissed.web.openapi import JSON, reference
from callmissed_ai.dialects.openai_responses.request import ResponsesRequest
from callmissed_ai.services.chat import chat_service
from functions.inference.call_router import CallDescription, CallRouter
from functions.inference.serving import serve

_EVENT = (
    '{"type":"response.output_text.delta","sequence_number":4,"item_id":"msg_01","output_index":0,"content_index":0,'
    '"delta":"Hel","logprobs":[]}'
)
_DESCRIPTION = CallDescription(
    request=ResponsesRequest,
    example={"model": "sandbox", "input": "Hello!", "stream": True},
    answer={
        "description": "A `response`, or its events as server-sent events when `stream` is true. The schema of "
        "`text/event-stream` is that of one event.",
        "content": {
            JSON: {"schema": reference("ResponseOut")},
            "text/event-stream": {
                "schema": reference("ServerSentEventOut"),
                "example": {"event": "response.output_text.delta", "data": _EVENT},
            },
        },
    },
)

_SERVICE = chat_service("openai_responses", stores=True)
router = CallRouter("responses")


@router.call("/v1/responses", summary="Create a response", description=_DESCRIPTION)
async def responses(request: Request) -> Response:
    """Create a response, blocking or streaming, in the OpenAI responses dialect, with any model of the catalog.

    A model of another dialect gets the request translated, and its reply is translated back: send the output's items
    back as they came. What the model's provider can't have is refused with 400 and the field's name, and so are hosted
    tools, `background`, `conversation` and `prompt`. Cost, limits and `Idempotency-Key` are as for chat completions. A
    stream ends with `response.completed`, `response.incomplete` or `response.failed`, or with an event `error`.
    """
    return await serve(request, _SERVICE)
