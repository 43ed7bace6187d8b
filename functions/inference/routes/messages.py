"""POST /v1/messages, and the same below /anthropic for clients with that base URL."""

import asyncio

from fastapi import Request, Response
from fastapi.responses import JSONResponse

from callmissed.web.openapi import JSON, reference
from callmissed_ai.calls.container import Container
from callmissed_ai.dialects.anthropic_messages.request import CountRequest, MessagesRequest
from callmissed_ai.services.chat import chat_service, count_tokens
from callmissed_ai.services.conversations.betas import HEADER
from callmissed_ai.services.conversations.work import PERMISSION
from functions.inference.body import parse_object, read_body
from functions.inference.call_router import CallDescription, CallRouter
from functions.inference.serving import authenticate, serve

_EVENT = '{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hel"}}'
_DESCRIPTION = CallDescription(
    request=MessagesRequest,
    example={"model": "sandbox", "max_tokens": 100, "messages": [{"role": "user", "content": "Hello!"}]},
    answer={
        "description": "A `message`, or its events as server-sent events when `stream` is true. The schema of "
        "`text/event-stream` is that of one event.",
        "content": {
            JSON: {"schema": reference("MessageOut")},
            "text/event-stream": {
                "schema": reference("ServerSentEventOut"),
                "example": {"event": "content_block_delta", "data": _EVENT},
            },
        },
    },
)

router = CallRouter("messages")


@router.call("/v1/messages", summary="Create a message", description=_DESCRIPTION)
@router.call("/anthropic/v1/messages", summary="Create a message", description=_DESCRIPTION)
async def messages(request: Request) -> Response:
    """Create a message, blocking or streaming, in the Anthropic dialect, with any model of the catalog.

    A model of another dialect gets the request translated, and its reply is translated back. What the model's provider
    can't have is refused with 400 and the field's name. Values of `anthropic-beta` reach Anthropic alone, but for those
    that may have a price, which are a 400. A bare `claude-*` means `anthropic/claude-*`. Cost, limits and
    `Idempotency-Key` are as for chat completions. A stream ends with `message_stop`, or with an event `error`.
    """
    return await serve(request, chat_service("anthropic_messages", request.headers.getlist(HEADER)))


_COUNT = CallDescription(
    request=CountRequest,
    example={"model": "sandbox", "messages": [{"role": "user", "content": "Hello!"}]},
    answer={"content": {JSON: {"schema": reference("TokenCountOut"), "example": {"input_tokens": 6}}}},
    repeatable=False,
)


@router.call("/v1/messages/count_tokens", summary="Count a message's tokens", description=_COUNT)
@router.call("/anthropic/v1/messages/count_tokens", summary="Count a message's tokens", description=_COUNT)
async def count_message_tokens(request: Request) -> Response:
    """Count the input tokens of a messages request; free.

    The count is ours (cl100k_base, 258 an image) and differs from a provider's by 5 to 10 %.
    """
    raw = await read_body(request)
    await authenticate(request, PERMISSION)
    container: Container = request.app.state.container
    body = parse_object(raw)
    catalog = await container.router.catalog_for(body)
    tokens = await asyncio.to_thread(count_tokens, "anthropic_messages", catalog, body, len(raw))
    return JSONResponse({"input_tokens": tokens})
