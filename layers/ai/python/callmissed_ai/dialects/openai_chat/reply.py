"""Replies, whole and in chunks: their validation, and the model's text in them."""

from collections.abc import Iterator, Mapping
from typing import Any, cast

from callmissed_ai.dialects.json_reply import UnusableReply


def written_text(chunk: Mapping[str, Any]) -> str:
    """Everything a model wrote in one chunk, or in a whole reply: text, reasoning, tool calls."""
    return "".join(str(part or "") for part in _written(chunk))


def _written(chunk: Mapping[str, Any]) -> Iterator[Any]:
    for choice in objects(chunk.get("choices")):
        for message in objects([choice.get("delta") or choice.get("message")]):
            yield from (message.get(name) for name in ("reasoning_content", "content", "refusal"))
            for tool_call in objects(message.get("tool_calls")):
                for function in objects([tool_call.get("function")]):
                    yield from (function.get("name"), function.get("arguments"))


def objects(value: object) -> list[dict[str, Any]]:
    """The JSON objects of a list from an upstream, which may send anything else."""
    return (
        [element for element in cast("list[Any]", value) if isinstance(element, dict)]
        if isinstance(value, list)
        else []
    )


def checked_reply(body: bytes, reply: Mapping[str, Any]) -> bytes:
    """The `body` of a whole `reply`, untouched. Raises UnusableReply for one without choices."""
    choices = reply.get("choices")
    if objects(choices) != choices:
        raise UnusableReply("no choices")
    if reply.get("error"):
        raise UnusableReply("an error with status 200")
    return body
