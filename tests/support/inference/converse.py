"""Replies of Bedrock's Converse, whole and as frames of its binary event stream."""

import base64
import json
import struct
from binascii import crc32
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

USAGE = {"inputTokens": 11, "outputTokens": 7, "totalTokens": 18}


def converse_reply(*content: Mapping[str, Any], usage: Any = USAGE, stop: str = "end_turn", **more: Any) -> Any:
    """A whole reply; "Hello there" without content."""
    return {
        "output": {"message": {"role": "assistant", "content": list(content) or [{"text": "Hello there"}]}},
        "stopReason": stop,
        "usage": usage,
        "metrics": {"latencyMs": 12},
        **more,
    }


def frame(name: str, fields: Any = None, *, kind: str = "event", payload: bytes | None = None) -> bytes:
    """One frame. Bedrock pads its events with `p`, so that their lengths say nothing."""
    if payload is None:
        payload = json.dumps({**(fields or {}), "p": "abcdefgh"}).encode()
    named = ":event-type" if kind == "event" else ":exception-type"
    headers = b"".join(
        struct.pack("!B", len(key)) + key.encode() + struct.pack("!BH", 7, len(value)) + value.encode()
        for key, value in ((named, name), (":content-type", "application/json"), (":message-type", kind))
    )
    prelude = struct.pack("!II", 16 + len(headers) + len(payload), len(headers))
    body = prelude + struct.pack("!I", crc32(prelude)) + headers + payload
    return body + struct.pack("!I", crc32(body))


def exception(name: str, message: str = "No: internal-upstream-detail-4711") -> bytes:
    """The frame of an exception."""
    return frame(name, {"message": message}, kind="exception")


def delta(index: int, **fields: Any) -> bytes:
    """One `contentBlockDelta`."""
    return frame("contentBlockDelta", {"contentBlockIndex": index, "delta": fields})


def converse_stream(whole: Mapping[str, Any]) -> list[bytes]:
    """The frames of a stream that adds up to `whole`."""
    message = whole["output"]["message"]
    stop = {name: whole[name] for name in ("stopReason", "additionalModelResponseFields") if name in whole}
    frames = [frame("messageStart", {"role": "assistant"}), *_blocks(message["content"]), frame("messageStop", stop)]
    if whole["usage"] is not None:
        frames.append(frame("metadata", {"usage": whole["usage"], "metrics": whole["metrics"]}))
    return frames


def redacted(text: str) -> str:
    """Redacted content as the wire has it."""
    return base64.b64encode(text.encode()).decode()


def _blocks(content: Sequence[Mapping[str, Any]]) -> Iterator[bytes]:
    for index, block in enumerate(content):
        yield from _block(index, block)
        yield frame("contentBlockStop", {"contentBlockIndex": index})


def _block(index: int, block: Mapping[str, Any]) -> Iterator[bytes]:
    match block:
        case {"toolUse": call}:
            start = {"toolUse": {"toolUseId": call["toolUseId"], "name": call["name"]}}
            yield frame("contentBlockStart", {"contentBlockIndex": index, "start": start})
            yield from (delta(index, toolUse={"input": piece}) for piece in _halves(_compact(call["input"])))
        case {"reasoningContent": {"reasoningText": thought}}:
            yield from (delta(index, reasoningContent={"text": piece}) for piece in _halves(thought["text"]))
            if "signature" in thought:
                yield delta(index, reasoningContent={"signature": thought["signature"]})
        case {"reasoningContent": {"redactedContent": data}}:
            yield delta(index, reasoningContent={"redactedContent": data})
        case _:
            yield from (delta(index, text=piece) for piece in _halves(block["text"]))


def _halves(text: str) -> list[str]:
    middle = len(text) // 2
    return [text[:middle], text[middle:]]


def _compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
