"""Replies of an upstream of the messages dialect."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

USAGE = {"input_tokens": 11, "output_tokens": 7}


def message(*content: Mapping[str, Any], usage: Any = USAGE, **more: Any) -> dict[str, Any]:
    """A message; "Hello there" without content."""
    return {
        "id": "msg_upstream",
        "type": "message",
        "role": "assistant",
        "model": "upstream",
        "content": list(content) or [{"type": "text", "text": "Hello there"}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": usage,
        **more,
    }


def message_event(name: str, **fields: Any) -> bytes:
    """One server-sent event."""
    return f"event: {name}\ndata: {json.dumps({'type': name, **fields})}\n\n".encode()


def message_stream(whole: Mapping[str, Any]) -> list[bytes]:
    """The events of a stream that adds up to `whole`."""
    beginning = {**whole, "content": [], "stop_reason": None, "usage": {**whole["usage"], "output_tokens": 1}}
    stop = {name: whole[name] for name in ("stop_reason", "stop_sequence")}
    return [
        message_event("message_start", message=beginning),
        message_event("ping"),
        *_blocks(whole["content"]),
        message_event("message_delta", delta=stop, usage={"output_tokens": whole["usage"]["output_tokens"]}),
        message_event("message_stop"),
    ]


def _blocks(content: Sequence[Mapping[str, Any]]) -> Iterator[bytes]:
    for index, block in enumerate(content):
        empty, deltas = _parts(block)
        yield message_event("content_block_start", index=index, content_block=empty)
        for delta in deltas:
            yield message_event("content_block_delta", index=index, delta=delta)
        yield message_event("content_block_stop", index=index)


def _parts(block: Mapping[str, Any]) -> tuple[Mapping[str, Any], list[dict[str, Any]]]:
    """The block as it begins, and what comes then, in two pieces."""
    match block["type"]:
        case "text":
            return {**block, "text": ""}, [{"type": "text_delta", "text": part} for part in _halves(block["text"])]
        case "thinking":
            grown = [{"type": "thinking_delta", "thinking": part} for part in _halves(block["thinking"])]
            signed = {"type": "signature_delta", "signature": block["signature"]}
            return {**block, "thinking": "", "signature": ""}, [*grown, signed]
        case "tool_use":
            halves = _halves(json.dumps(block["input"]))
            return {**block, "input": {}}, [{"type": "input_json_delta", "partial_json": part} for part in halves]
        case _:
            return block, []


def _halves(text: str) -> list[str]:
    middle = len(text) // 2
    return [text[:middle], text[middle:]]
