"""POST /v1/responses and POST /v1/responses/compact."""

from fastapi import Request, Response

from callmissed.web.openapi import JSON, reference
from callmissed_ai.dialects.openai_responses.request import ResponsesRequest
from callmissed_ai.services.chat import chat_service
from callmissed_ai.services.compaction import compaction_service
from functions.inference.call_router import CallDescription, CallRouter
from functions.inference.schemas.text import CompactionIn
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


_COMPACTION = CallDescription(
    request=CompactionIn,
    example={"model": "gpt-5.5", "input": [{"role": "user", "content": "Hello!"}]},
    answer={"content": {JSON: {"schema": reference("CompactionOut")}}},
)
_COMPACTION_SERVICE = compaction_service()


@router.call("/v1/responses/compact", summary="Compact a conversation", description=_COMPACTION)
async def compact(request: Request) -> Response:
    """Compact a conversation into items that its provider alone can read; send them back as input of the next response.

    For models whose provider speaks the responses dialect; others are 400. Billed by the reported tokens. The reply
    is not stored. The conversation may be named as `previous_response_id`, `input` added to it, or sent whole.
    """
    return await serve(request, _COMPACTION_SERVICE)
