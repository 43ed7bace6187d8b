"""Tokens of a call: what its reply reports, and our own count of a request whose reply reports nothing."""

from collections.abc import Iterator, Mapping
from typing import Any, cast

from callmissed_ai.dialects.openai_responses.request import images, items, parts
from callmissed_ai.tokens import counting
from callmissed_ai.tokens.usage import TokenUsage, reported_count

_MESSAGE_TOKENS = 4
_IMAGE_TOKENS = 258
_FREE_FIELDS = frozenset({"parameters", "schema"})
"""Fields whose keys the caller chooses."""

_UNREAD = frozenset(
    {
        *("type", "role", "model", "models", "stream", "metadata", "id", "call_id", "status", "phase", "include"),
        *("encrypted_content", "image_url", "file_data", "file_url", "detail", "truncation", "logprobs"),
        *("user", "safety_identifier", "prompt_cache_key", "previous_response_id"),
    }
)
"""Fields without room for a prompt, and media."""


def read_usage(value: object) -> TokenUsage | None:
    """Usage in the `usage` object of a response, or None where there is none that makes sense. Zeros are kept."""
    if not isinstance(value, dict):
        return None
    usage = cast("dict[str, Any]", value)
    read, written = reported_count(usage.get("input_tokens")), reported_count(usage.get("output_tokens"))
    if read is None or written is None:
        return None
    cached = min(_detail(usage, "input_tokens_details", "cached_tokens"), read)
    cache_write = min(_detail(usage, "input_tokens_details", "cache_write_tokens"), read - cached)
    reasoning = min(_detail(usage, "output_tokens_details", "reasoning_tokens"), written)
    return TokenUsage(read, written, cached, cache_write=cache_write, reasoning=reasoning)


def write_usage(used: TokenUsage) -> dict[str, Any]:
    """Usage as this dialect counts it: input includes what was read from a cache or written to one."""
    return {
        "input_tokens": used.input,
        "input_tokens_details": {"cached_tokens": used.cached, "cache_write_tokens": used.cache_write},
        "output_tokens": used.output,
        "output_tokens_details": {"reasoning_tokens": used.reasoning},
        "total_tokens": used.input + used.output,
    }


def _detail(usage: Mapping[str, Any], group: str, name: str) -> int:
    details: Any = usage.get(group)
    return reported_count(cast("dict[str, Any]", details).get(name)) or 0 if isinstance(details, dict) else 0


def count_request(body: Mapping[str, Any], limit: int | None = None) -> int:
    """Tokens of a request, at most `limit`: all its texts, and a flat 258 an image or a file."""
    flat = _flat_tokens(body)
    if limit is None:
        return flat + counting.count_texts(_texts(body))
    return min(limit, flat + counting.count_texts(_texts(body), max(0, limit - flat)))


def estimate_request(body: Mapping[str, Any]) -> int:
    """Tokens of a request without reading all of it; see `counting.estimate_texts`."""
    return _flat_tokens(body) + counting.estimate_texts(_texts(body))


def _flat_tokens(body: Mapping[str, Any]) -> int:
    media = len(images(body)) + sum(part.get("type") == "input_file" for part in parts(body))
    return max(1, sum(1 for _ in items(body))) * _MESSAGE_TOKENS + media * _IMAGE_TOKENS


def _texts(value: Any) -> Iterator[str]:
    """The texts in any JSON but for media, and the keys of objects that the caller chooses: schemas."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, inner in cast("dict[str, Any]", value).items():
            if name in _FREE_FIELDS:
                yield from counting.all_texts(inner)
            elif name not in _UNREAD:
                yield from _texts(inner)
    elif isinstance(value, list):
        for inner in cast("list[Any]", value):
            yield from _texts(inner)
