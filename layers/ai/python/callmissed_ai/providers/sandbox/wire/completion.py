"""A blocking reply as one JSON object, `chat.completion`."""

import json
from typing import Any

from callmissed_ai.dialects.openai_chat.typed_request import TypedChatRequest
from callmissed_ai.providers.sandbox.reply import Choice, ComposedReply
from callmissed_ai.providers.sandbox.thinking import details_of
from callmissed_ai.providers.sandbox.wire.logprobs import logprobs_of


def completion_body(reply: ComposedReply, request: TypedChatRequest, *, with_usage: bool) -> bytes:
    """The body of the HTTP reply."""
    choices = [_choice(reply, choice, index, request) for index, choice in enumerate(reply.choices)]
    completion = {**reply.frame("chat.completion"), "choices": choices}
    if with_usage:
        completion["usage"] = reply.usage()
    return json.dumps(completion, ensure_ascii=False, separators=(",", ":")).encode()


def _choice(reply: ComposedReply, choice: Choice, index: int, request: TypedChatRequest) -> dict[str, Any]:
    shown = request.logprobs and choice.content is not None
    return {
        "index": index,
        "message": _message(reply, choice, index),
        "logprobs": logprobs_of(choice.content or "", request.top_logprobs) if shown else None,
        "finish_reason": choice.finish_reason,
    }


def _message(reply: ComposedReply, choice: Choice, index: int) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": choice.content, "refusal": None, "annotations": []}
    if choice.reasoning:
        message |= {"reasoning_content": choice.reasoning, "reasoning_details": details_of(choice.reasoning)}
    if choice.tool_calls:
        message["tool_calls"] = [
            {
                "id": reply.call_id(index, at),
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for at, call in enumerate(choice.tool_calls)
        ]
    return message
