"""Tokens of a messages request, counted by us."""

from collections.abc import Iterator, Mapping
from typing import Any, cast

from callmissed_ai.dialects.anthropic_messages.request import blocks
from callmissed_ai.tokens import counting
from callmissed_ai.tokens.usage import TokenUsage, reported_count

_MESSAGE_TOKENS = 4
_IMAGE_TOKENS = 258
_UNREAD = frozenset({"type", "role", "media_type", "model", "models", "stream", "metadata", "signature"})
"""Fields without room for a prompt."""


def count_request(body: Mapping[str, Any], limit: int | None = None) -> int:
    """Tokens of a request, at most `limit`: all its texts, and a flat 258 an image."""
    flat = _flat_tokens(body)
    if limit is None:
        return flat + counting.count_texts(_texts(body))
    return min(limit, flat + counting.count_texts(_texts(body), max(0, limit - flat)))


def estimate_request(body: Mapping[str, Any]) -> int:
    """Tokens of a request without reading all of it; see `counting.estimate_texts`."""
    return _flat_tokens(body) + counting.estimate_texts(_texts(body))


def _flat_tokens(body: Mapping[str, Any]) -> int:
    images = sum(block.get("type") == "image" for block in blocks(body))
    return len(body["messages"]) * _MESSAGE_TOKENS + images * _IMAGE_TOKENS


def _texts(value: Any) -> Iterator[str]:
    """The texts in any JSON but for media, and the keys of objects that the caller chooses: inputs and schemas."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        fields = cast("dict[str, Any]", value)
        for name, inner in fields.items():
            if name in ("input", "input_schema", "schema"):
                yield from counting.all_texts(inner)
            elif name not in _UNREAD and not (name == "source" and fields.get("type") == "image"):
                yield from _texts(inner)
    elif isinstance(value, list):
        for inner in cast("list[Any]", value):
            yield from _texts(inner)


def reports_output(value: object) -> bool:
    """Whether a `usage` object counts output: one that counts input alone says nothing of what was written."""
    return isinstance(value, dict) and reported_count(cast("dict[str, Any]", value).get("output_tokens")) is not None


def read_usage(value: object) -> TokenUsage | None:
    """Usage in the `usage` object of a message or of its events, or None where there is none that makes sense.

    Input that was read from a cache, or written to one, is not part of this dialect's `input_tokens`.
    """
    if not isinstance(value, dict):
        return None
    usage = cast("dict[str, Any]", value)
    names = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens", "output_tokens")
    counts = [reported_count(usage.get(name)) for name in names]
    if all(count is None for count in counts):
        return None
    new, cached, written, output = (count or 0 for count in counts)
    return TokenUsage(new + cached + written, output, cached, cache_write=written)
