"""Replies of an upstream of the responses dialect."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

USAGE = {
    "input_tokens": 11,
    "input_tokens_details": {"cached_tokens": 0},
    "output_tokens": 7,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": 18,
}
_EVENTS = {
    "output_text": ("response.output_text", "text"),
    "refusal": ("response.refusal", "refusal"),
    "summary_text": ("response.reasoning_summary_text", "text"),
    "reasoning_text": ("response.reasoning_text", "text"),
}


def written(*content: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """A message; "Hello there" without content."""
    parts = list(content) or [{"type": "output_text", "text": "Hello there", "annotations": []}]
    return {
        "id": "msg_upstream",
        "type": "message",
        "role": "assistant",
        "status": "completed",
        "content": parts,
        **more,
    }


def function_call(call_id: str, name: str, arguments: str, **more: Any) -> dict[str, Any]:
    """A call of a function."""
    return {
        "id": f"fc_{call_id}",
        "type": "function_call",
        "status": "completed",
        "call_id": call_id,
        "name": name,
        "arguments": arguments,
        **more,
    }


def thought(*summary: str, encrypted: str | None = "gAAA", **more: Any) -> dict[str, Any]:
    """A reasoning item."""
    texts = [{"type": "summary_text", "text": text} for text in summary]
    content = {} if encrypted is None else {"encrypted_content": encrypted}
    return {"id": "rs_upstream", "type": "reasoning", "summary": texts, **content, **more}


def response(*output: Mapping[str, Any], usage: Any = USAGE, **more: Any) -> dict[str, Any]:
    """A response; "Hello there" without output."""
    return {
        "id": "resp_upstream",
        "object": "response",
        "created_at": 1,
        "status": "completed",
        "error": None,
        "incomplete_details": None,
        "model": "upstream",
        "output": list(output) or [written()],
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "store": False,
        "tool_choice": "auto",
        "tools": [],
        "usage": usage,
        **more,
    }


def response_event(name: str, number: int, **fields: Any) -> bytes:
    """One server-sent event."""
    return f"event: {name}\ndata: {json.dumps({'type': name, 'sequence_number': number, **fields})}\n\n".encode()


def response_stream(whole: Mapping[str, Any]) -> list[bytes]:
    """The events of a stream that adds up to `whole`."""
    begun = {**whole, "status": "in_progress", "output": [], "usage": None}
    events: list[tuple[str, dict[str, Any]]] = [("response.created", {"response": begun})]
    events.append(("response.in_progress", {"response": begun}))
    for index, item in enumerate(whole["output"]):
        events += _events_of_item(index, item)
    events.append((f"response.{whole['status']}", {"response": whole}))
    return [response_event(name, number, **fields) for number, (name, fields) in enumerate(events)]


def _events_of_item(index: int, item: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    empty = {"content": [], "summary": [], "arguments": "", "status": "in_progress"}
    bare = {name: empty.get(name, value) for name, value in item.items() if name != "encrypted_content"}
    yield "response.output_item.added", {"output_index": index, "item": bare}
    place = {"output_index": index, "item_id": item["id"]}
    if item["type"] == "function_call":
        for piece in _halves(item["arguments"]):
            yield "response.function_call_arguments.delta", {**place, "delta": piece}
        yield "response.function_call_arguments.done", {**place, "arguments": item["arguments"]}
    for name, counted in (("summary", "summary_index"), ("content", "content_index")):
        part_events = "response.reasoning_summary_part" if name == "summary" else "response.content_part"
        for number, part in enumerate(item.get(name) or ()):
            yield from _events_of_part(part_events, {**place, counted: number}, part)
    yield "response.output_item.done", {"output_index": index, "item": item}


def _events_of_part(
    part_events: str, place: Mapping[str, Any], part: Mapping[str, Any]
) -> Iterator[tuple[str, dict[str, Any]]]:
    events, text = _EVENTS[part["type"]]
    logprobs: Mapping[str, Any] = {"logprobs": []} if part["type"] == "output_text" else {}
    yield f"{part_events}.added", {**place, "part": {**part, text: ""}}
    for piece in _halves(part[text]):
        yield f"{events}.delta", {**place, "delta": piece, **logprobs}
    yield f"{events}.done", {**place, text: part[text], **logprobs}
    yield f"{part_events}.done", {**place, "part": part}


def _halves(text: str) -> Sequence[str]:
    middle = len(text) // 2
    return [text[:middle], text[middle:]]
