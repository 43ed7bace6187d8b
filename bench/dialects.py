"""The dialects of the benchmark: a request of each, and the reply of 24 words that its upstream gives, written by hand.

Nothing here comes from the gateway, so that it can't hide a fault of the gateway.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from tests.support.inference.converse import converse_reply, delta, frame

WORDS = tuple(f"word{number:02d} " for number in range(24))
TEXT = "".join(WORDS)
INPUT_TOKENS = 120
IDENTITY: Mapping[str, Any] = {"id": "chatcmpl-fake", "created": 1_700_000_000, "model": "fake-chat"}
CHAT = "openai_chat"
MESSAGES = "anthropic_messages"
RESPONSES = "openai_responses"
BEDROCK = "bedrock_converse"
_SYSTEM = "You are a helpful assistant. Answer briefly. " * 8
_QUESTION = "Which words do you know? Please name all of them. " * 4
_CHAT_USAGE = {"prompt_tokens": INPUT_TOKENS, "completion_tokens": len(WORDS)}
_CHAT_USAGE["total_tokens"] = sum(_CHAT_USAGE.values())
_CONVERSE_USAGE = {"inputTokens": INPUT_TOKENS, "outputTokens": len(WORDS), "totalTokens": INPUT_TOKENS + len(WORDS)}
_MESSAGE = {"id": "msg_fake", "type": "message", "role": "assistant", "model": "fake-chat"}
_RESPONSE: Mapping[str, Any] = {
    "id": "resp_fake",
    "object": "response",
    "created_at": 1_700_000_000,
    "model": "fake-chat",
    "error": None,
    "incomplete_details": None,
    "instructions": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "store": False,
    "temperature": 1.0,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_p": 1.0,
}
_PART: Mapping[str, Any] = {"type": "output_text", "text": "", "annotations": []}
_NOTHING: Mapping[str, Any] = {"content": [], "stop_reason": None, "stop_sequence": None}
_ITEM: Mapping[str, Any] = {"id": "msg_fake", "type": "message", "role": "assistant"}


@dataclass(frozen=True, slots=True)
class WireDialect:
    """One dialect on the wire: the end of its endpoint's path, and the bytes that end a whole stream.

    `stream_path` is where streams have a path of their own.
    """

    path: str
    end: bytes
    stream_path: str = ""
    stream_type: str = "text/event-stream"


DIALECTS: Mapping[str, WireDialect] = {
    CHAT: WireDialect("/chat/completions", b"data: [DONE]"),
    MESSAGES: WireDialect("/messages", b"event: message_stop"),
    RESPONSES: WireDialect("/responses", b"event: response.completed"),
    BEDROCK: WireDialect("/converse", b"metadata", "/converse-stream", "application/vnd.amazon.eventstream"),
}


def request(dialect: str, model: str, *, stream: bool) -> dict[str, Any]:
    """A caller's request with a few hundred bytes of prompt, as a small real call has."""
    question = {"role": "user", "content": _QUESTION}
    asked: dict[str, Any] = {"model": model, "stream": stream}
    match dialect:
        case "anthropic_messages":
            return {**asked, "system": _SYSTEM, "messages": [question], "max_tokens": 64}
        case "openai_responses":
            return {**asked, "instructions": _SYSTEM, "input": [question], "max_output_tokens": 64, "store": False}
        case _:
            return {**asked, "messages": [{"role": "system", "content": _SYSTEM}, question], "max_tokens": 64}


def reply(dialect: str) -> bytes:
    """The body of a blocking reply."""
    match dialect:
        case "anthropic_messages":
            block = {"type": "text", "text": TEXT}
            whole = {**_MESSAGE, "content": [block], "stop_reason": "end_turn", "stop_sequence": None}
            found = {**whole, "usage": _usage()}
        case "openai_responses":
            found = _completed()
        case "bedrock_converse":
            found = converse_reply({"text": TEXT}, usage=_CONVERSE_USAGE)
        case _:
            choice = {"index": 0, "message": {"role": "assistant", "content": TEXT}, "finish_reason": "stop"}
            found = {**IDENTITY, "object": "chat.completion", "choices": [choice], "usage": _CHAT_USAGE}
    return json.dumps(found).encode()


@cache
def events(dialect: str, *, with_usage: bool = True) -> tuple[bytes, ...]:
    """The events of a streamed reply, with a delta for each word; `with_usage` matters for chat alone."""
    match dialect:
        case "anthropic_messages":
            return tuple(_named(event) for event in _message_events())
        case "openai_responses":
            return tuple(_named({**event, "sequence_number": at}) for at, event in enumerate(_response_events()))
        case "bedrock_converse":
            return tuple(_converse_frames())
        case _:
            return tuple(_chat_events(with_usage=with_usage))


def _chat_events(*, with_usage: bool) -> Iterator[bytes]:
    choices: list[dict[str, Any]] = [{"index": 0, "delta": {"content": w}, "finish_reason": None} for w in WORDS]
    choices[0]["delta"] = {"role": "assistant", "content": WORDS[0]}
    choices.append({"index": 0, "delta": {}, "finish_reason": "stop"})
    chunks: list[dict[str, Any]] = [{"choices": [choice]} for choice in choices]
    if with_usage:
        chunks.append({"choices": [], "usage": _CHAT_USAGE})
    bodies = [json.dumps({**IDENTITY, "object": "chat.completion.chunk", **chunk}) for chunk in chunks]
    for body in [*bodies, "[DONE]"]:
        yield f"data: {body}\n\n".encode()


def _message_events() -> Iterator[dict[str, Any]]:
    yield {"type": "message_start", "message": {**_MESSAGE, **_NOTHING, "usage": {**_usage(), "output_tokens": 1}}}
    yield {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
    for word in WORDS:
        yield {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": word}}
    yield {"type": "content_block_stop", "index": 0}
    end = {"stop_reason": "end_turn", "stop_sequence": None}
    yield {"type": "message_delta", "delta": end, "usage": {"output_tokens": len(WORDS)}}
    yield {"type": "message_stop"}


def _response_events() -> Iterator[dict[str, Any]]:
    begun: dict[str, Any] = {**_RESPONSE, "status": "in_progress", "output": [], "usage": None}
    place_in_item = {"item_id": "msg_fake", "output_index": 0, "content_index": 0}
    yield {"type": "response.created", "response": begun}
    yield {"type": "response.in_progress", "response": begun}
    item: dict[str, Any] = {**_ITEM, "status": "in_progress", "content": []}
    yield {"type": "response.output_item.added", "output_index": 0, "item": item}
    yield {"type": "response.content_part.added", **place_in_item, "part": _PART}
    for word in WORDS:
        yield {"type": "response.output_text.delta", **place_in_item, "delta": word, "logprobs": []}
    yield {"type": "response.output_text.done", **place_in_item, "text": TEXT, "logprobs": []}
    yield {"type": "response.content_part.done", **place_in_item, "part": {**_PART, "text": TEXT}}
    item = _completed()["output"][0]
    yield {"type": "response.output_item.done", "output_index": 0, "item": item}
    yield {"type": "response.completed", "response": _completed()}


def _converse_frames() -> Iterator[bytes]:
    yield frame("messageStart", {"role": "assistant"})
    for word in WORDS:
        yield delta(0, text=word)
    yield frame("contentBlockStop", {"contentBlockIndex": 0})
    yield frame("messageStop", {"stopReason": "end_turn"})
    yield frame("metadata", {"usage": _CONVERSE_USAGE, "metrics": {"latencyMs": 12}})


def _completed() -> dict[str, Any]:
    usage: dict[str, Any] = {**_usage(), "total_tokens": INPUT_TOKENS + len(WORDS)}
    usage |= {"input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0}}
    item = {**_ITEM, "status": "completed", "content": [{**_PART, "text": TEXT}]}
    return {**_RESPONSE, "status": "completed", "output": [item], "usage": usage}


def _usage() -> dict[str, Any]:
    return {"input_tokens": INPUT_TOKENS, "output_tokens": len(WORDS)}


def _named(event: Mapping[str, Any]) -> bytes:
    return f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()
