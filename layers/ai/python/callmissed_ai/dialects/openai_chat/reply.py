"""Replies, whole and in chunks: where they begin and end, their validation, and the model's text in them."""

from collections.abc import Iterator, Mapping
from typing import Any, cast

from callmissed_ai.dialects.json_reply import UnusableReply

_SUBSTANCE = (
    *("content", "refusal", "tool_calls", "function_call", "audio", "images"),
    *("reasoning_content", "reasoning", "reasoning_details", "thinking", "thinking_blocks"),
)


def begins(chunk: Mapping[str, Any]) -> bool:
    """Whether a chunk carries a part of the reply: content, reasoning, a tool call, a refusal or a finish reason.

    A role, an empty content and usage are none.
    """
    return any(
        choice.get("finish_reason") or any(map(_message(choice).get, _SUBSTANCE))
        for choice in objects(chunk.get("choices"))
    )


def finish_reasons(chunk: Mapping[str, Any]) -> list[Any]:
    """Why choices have ended, in a chunk or a whole reply."""
    reasons = [choice.get("finish_reason") for choice in objects(chunk.get("choices"))]
    return [reason for reason in reasons if reason]


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


def _message(choice: Mapping[str, Any]) -> dict[str, Any]:
    message: Any = choice.get("delta") or choice.get("message")
    return cast("dict[str, Any]", message) if isinstance(message, dict) else {}


def checked_reply(body: bytes, reply: Mapping[str, Any]) -> bytes:
    """The `body` of a whole `reply`, untouched. Raises UnusableReply for one without choices."""
    choices = reply.get("choices")
    if objects(choices) != choices:
        raise UnusableReply("no choices")
    if reply.get("error") or "error" in finish_reasons(reply):
        raise UnusableReply("an error with status 200")
    return body
