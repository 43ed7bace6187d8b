"""Replies, whole and in chunks: their validation, and the model's text in them."""

from collections.abc import Iterator, Mapping
from typing import Any, cast

from callmissed_ai.dialects.json_reply import UnusableReply

_REASONING = ("reasoning_content", "reasoning", "reasoning_details")
"""Names under which providers send a model's reasoning, some of them the same text under several."""

_UNWRITTEN = frozenset(
    {
        *("annotations", "data", "encrypted_content", "expires_at", "extra_content", "format", "id", "index", "role"),
        *("signature", "tool_call_id", "type", "url"),
    }
)
"""Fields of a message whose texts are not a model's: names, marks, media and what a tool found."""


def written_text(chunk: Mapping[str, Any]) -> str:
    """Everything a model wrote in a chunk, or in a whole reply: text, reasoning, refusals, tool calls, transcripts."""
    return "".join(
        text
        for choice in objects(chunk.get("choices"))
        for message in objects([choice.get("delta") or choice.get("message")])
        for text in _written(message)
    )


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


def checked_reply(body: bytes, reply: Mapping[str, Any]) -> bytes:
    """The `body` of a whole `reply`, untouched. Raises UnusableReply for one without choices."""
    choices = reply.get("choices")
    if objects(choices) != choices:
        raise UnusableReply("no choices")
    if reply.get("error"):
        raise UnusableReply("an error with status 200")
    return body
