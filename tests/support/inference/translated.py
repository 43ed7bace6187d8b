"""Requests and replies of the chat and the messages dialect, translated into the other."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from callmissed.errors import ApiError
from callmissed_ai.dialects.conversation import ReplyFrame
from callmissed_ai.dialects.opening import open_dialect
from callmissed_ai.dialects.stream_meter import StreamPassage
from callmissed_ai.dialects.translation import NO_NAMES, Translation

CHAT = open_dialect("openai_chat")
MESSAGES = open_dialect("anthropic_messages")
FRAME = ReplyFrame("x1", 1, "lab-chat")
HELLO = {"role": "user", "content": "Hello"}
TOOL = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}


def call(index: int, call_id: str | None, name: str | None, arguments: str) -> dict[str, Any]:
    """A piece of a tool call in a chunk."""
    named = {"name": name} if name else {}
    identified = {"id": call_id, "type": "function"} if call_id else {}
    return {"index": index, **identified, "function": {**named, "arguments": arguments}}


def messages_of(*events: bytes, names: Mapping[str, str] = NO_NAMES) -> list[dict[str, Any]]:
    """The events that a caller of messages gets for a chat stream, but for `message_stop`."""
    passage = Translation(CHAT.stream_reader(), MESSAGES.stream_writer(FRAME, wants_usage=True), names)
    return [each for each in data_of(passed_by(passage, *events)) if each.get("type") != "message_stop"]


def chunks_of(*events: bytes, names: Mapping[str, str] = NO_NAMES) -> list[dict[str, Any]]:
    """The chunks that a caller of chat gets for a stream of messages, but for `[DONE]`."""
    passage = Translation(MESSAGES.stream_reader(), CHAT.stream_writer(FRAME, wants_usage=True), names)
    return data_of(passed_by(passage, *events))


def passed_by(passage: StreamPassage, *events: bytes) -> bytes:
    """All that the caller gets of a stream that is complete."""
    passages = [each for body in events for each in passage.feed(body)]
    return b"".join(written for _, written in [*passages, *passage.end()]) + passage.closing(None, "req_1")


def data_of(body: bytes) -> list[dict[str, Any]]:
    """The objects in the data of the events."""
    lines = body.decode().splitlines()
    return [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: {")]


def blocks_of(events: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Type and text of the blocks, whose events must come one block after the other with ascending indices."""
    found: list[tuple[str, str]] = []
    for each in events:
        match each["type"]:
            case "content_block_start":
                assert each["index"] == len(found)
                found.append((each["content_block"]["type"], ""))
            case "content_block_delta":
                assert each["index"] == len(found) - 1
                kind, text = found[-1]
                added = [value for name, value in each["delta"].items() if name not in ("type", "signature")]
                found[-1] = (kind, text + "".join(added))
            case _:
                pass
    return found


def to_messages(**fields: Any) -> Mapping[str, Any]:
    """The messages request for a chat request with `fields`."""
    return MESSAGES.write_request(CHAT.read_request({"model": "m", "messages": [HELLO], **fields}))


def to_chat(**fields: Any) -> Mapping[str, Any]:
    """The chat request for a messages request with `fields`."""
    return CHAT.write_request(MESSAGES.read_request({"model": "m", "max_tokens": 100, "messages": [HELLO], **fields}))


def calling(*ids: str) -> dict[str, Any]:
    """The assistant's message with a call of each id."""
    calls = [{"id": each, "type": "function", "function": {"name": "weather", "arguments": "{}"}} for each in ids]
    return {"role": "assistant", "content": None, "tool_calls": calls}


def result(call_id: str) -> dict[str, Any]:
    """The message with a call's result."""
    return {"role": "tool", "tool_call_id": call_id, "content": f"of {call_id}"}


def refused(translate: Any, **fields: Any) -> ApiError:
    """The 400 for a request that can't be translated."""
    with pytest.raises(ApiError) as caught:
        translate(**fields)
    assert caught.value.status == 400
    return caught.value


def said(role: str, content: object, **more: Any) -> dict[str, Any]:
    """A message."""
    return {"role": role, "content": content, **more}
