"""Replies, whole and in chunks: where they begin and end, their validation, and the model's text in them."""

from collections.abc import Iterator, Mapping
from typing import Any, cast

from callmissed_ai.dialects.json_reply import UnusableReply

_REASONING = ("reasoning_content", "reasoning", "reasoning_details", "thinking", "thinking_blocks")
"""Names under which providers send a model's reasoning, some of them the same text under several."""

ERROR_REASONS = ("error", "network_error", "insufficient_system_resource")
"""Finish reasons of replies that broke off: OpenRouter's, Z.ai's and DeepSeek's."""

_SUBSTANCE = ("content", "refusal", "tool_calls", "function_call", "audio", "images", *_REASONING)

_UNWRITTEN = frozenset(
    {
        *("annotations", "data", "encrypted_content", "expires_at", "extra_content", "format", "id", "index", "role"),
        *("signature", "tool_call_id", "type", "url"),
    }
)
"""Fields of a message whose texts are not a model's: names, marks, media and what a tool found."""


def begins(chunk: Mapping[str, Any]) -> bool:
    """Whether a chunk carries a part of the reply: content, reasoning, a tool call, a refusal or a finish reason.

    A role, an empty content and usage are none.
    """
    return any(
        choice.get("finish_reason") or any(map(message_of(choice).get, _SUBSTANCE))
        for choice in objects(chunk.get("choices"))
    )


def finish_reasons(chunk: Mapping[str, Any]) -> list[Any]:
    """Why choices have ended, in a chunk or a whole reply."""
    reasons = [choice.get("finish_reason") for choice in objects(chunk.get("choices"))]
    return [reason for reason in reasons if reason]


def written_text(chunk: Mapping[str, Any]) -> str:
    """Everything a model wrote in a chunk, or in a whole reply: text, reasoning, refusals, tool calls, transcripts."""
    return "".join(text for choice in objects(chunk.get("choices")) for text in _written(message_of(choice)))


def _written(message: Mapping[str, Any]) -> Iterator[str]:
    yield max(("".join(_strings(message.get(name))) for name in _REASONING), key=len)
    for name, value in message.items():
        if name not in _REASONING and name not in _UNWRITTEN:
            yield from _strings(value)


def _strings(value: Any) -> Iterator[str]:
    """The texts in any JSON, without those in fields that no model writes."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, inner in cast("dict[str, Any]", value).items():
            if name not in _UNWRITTEN:
                yield from _strings(inner)
    elif isinstance(value, list):
        for inner in cast("list[Any]", value):
            yield from _strings(inner)


def objects(value: object) -> list[dict[str, Any]]:
    """The JSON objects of a list from an upstream, which may send anything else."""
    return (
        [element for element in cast("list[Any]", value) if isinstance(element, dict)]
        if isinstance(value, list)
        else []
    )


def message_of(choice: Mapping[str, Any]) -> dict[str, Any]:
    """What a choice says, in a chunk or in a whole reply."""
    message: Any = choice.get("delta") or choice.get("message")
    return cast("dict[str, Any]", message) if isinstance(message, dict) else {}


def checked_reply(body: bytes, reply: Mapping[str, Any]) -> bytes:
    """The `body` of a whole `reply`, untouched. Raises UnusableReply for one without choices."""
    choices = reply.get("choices")
    if not choices or objects(choices) != choices:
        raise UnusableReply("no choices")
    if reply.get("error") or any(reason in ERROR_REASONS for reason in finish_reasons(reply)):
        raise UnusableReply("an error with status 200")
    return body
