"""A streamed reply as server-sent events: a role, reasoning, text or tool calls token by token, a finish, usage."""

import json
from collections.abc import Iterator
from itertools import zip_longest
from typing import Any

from callmissed_ai.dialects.openai_chat.typed_request import TypedChatRequest
from callmissed_ai.providers.sandbox import tokens
from callmissed_ai.providers.sandbox.reply import Choice, ComposedReply
from callmissed_ai.providers.sandbox.thinking import grown_details
from callmissed_ai.providers.sandbox.wire.logprobs import logprobs_of


def events(reply: ComposedReply, request: TypedChatRequest, *, with_usage: bool) -> Iterator[bytes]:
    """The events of the stream, `[DONE]` last. With several choices their chunks take turns."""
    frame = reply.frame("chat.completion.chunk")
    no_usage = {"usage": None} if with_usage else {}
    streams = [_choice_chunks(reply, choice, index, request) for index, choice in enumerate(reply.choices)]
    for turn in zip_longest(*streams):
        for chunk in turn:
            if chunk is not None:
                yield _event({**frame, "choices": [chunk], **no_usage})
    if with_usage:
        yield _event({**frame, "choices": [], "usage": reply.usage()})
    yield b"data: [DONE]\n\n"


def _choice_chunks(
    reply: ComposedReply, choice: Choice, index: int, request: TypedChatRequest
) -> Iterator[dict[str, Any]]:
    start = None if choice.content is None else ""
    yield _chunk(index, {"role": "assistant", "content": start, "refusal": None})
    thought = tokens.split(choice.reasoning)
    for token, details in zip(thought, grown_details(thought), strict=True):
        yield _chunk(index, {"reasoning_content": token, "reasoning_details": details})
    for token in tokens.split(choice.content or ""):
        logprobs = logprobs_of(token, request.top_logprobs) if request.logprobs else None
        yield _chunk(index, {"content": token}, logprobs)
    yield from _call_chunks(reply, choice, index)
    yield _chunk(index, {}, finish_reason=choice.finish_reason)


def _call_chunks(reply: ComposedReply, choice: Choice, index: int) -> Iterator[dict[str, Any]]:
    for at, call in enumerate(choice.tool_calls):
        opening = {"name": call.name, "arguments": ""}
        head = {"index": at, "id": reply.call_id(index, at), "type": "function", "function": opening}
        yield _chunk(index, {"tool_calls": [head]})
        for token in tokens.split(call.arguments):
            yield _chunk(index, {"tool_calls": [{"index": at, "function": {"arguments": token}}]})


def _chunk(
    index: int, delta: dict[str, Any], logprobs: dict[str, Any] | None = None, finish_reason: str | None = None
) -> dict[str, Any]:
    return {"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": finish_reason}


def _event(chunk: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(chunk, ensure_ascii=False, separators=(",", ":")).encode() + b"\n\n"
