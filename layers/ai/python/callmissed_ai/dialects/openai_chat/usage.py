"""Tokens of a call: what its reply reports, and our own count of a request whose reply reports nothing."""

from collections.abc import Mapping
from typing import Any, cast

from callmissed_ai.dialects.openai_chat.request import content_parts, images
from callmissed_ai.dialects.openai_chat.texts import payloads, texts
from callmissed_ai.tokens import counting
from callmissed_ai.tokens.usage import TokenUsage, reported_count

_MESSAGE_TOKENS = 4
_MEDIA_TOKENS = 258


def read_usage(value: object) -> TokenUsage | None:
    """Usage in the `usage` object of a reply, or None where there is none that makes sense. Zeros are kept."""
    if not isinstance(value, dict):
        return None
    usage = cast("dict[str, Any]", value)
    prompt, completion = reported_count(usage.get("prompt_tokens")), reported_count(usage.get("completion_tokens"))
    if prompt is None or completion is None:
        return None
    cached = min(_reported_detail(usage, "cached_tokens"), prompt)
    written = min(_reported_detail(usage, "cache_write_tokens"), prompt - cached)
    return TokenUsage(prompt, completion, cached, cache_write=written)


def _reported_detail(usage: Mapping[str, Any], name: str) -> int:
    details: Any = usage.get("prompt_tokens_details")
    return reported_count(cast("dict[str, Any]", details).get(name)) or 0 if isinstance(details, dict) else 0


def count_request(body: Mapping[str, Any], limit: int | None = None) -> int:
    """Tokens of a chat request, at most `limit`: all its texts, and a flat 258 an image."""
    flat = _flat_tokens(body)
    if limit is None:
        return flat + counting.count_texts(texts(body))
    return min(limit, flat + counting.count_texts(texts(body), max(0, limit - flat)))


def estimate_request(body: Mapping[str, Any]) -> int:
    """Tokens of a chat request without reading all of it; see `counting.estimate_texts`."""
    return _flat_tokens(body) + counting.estimate_texts(texts(body))


def _flat_tokens(body: Mapping[str, Any]) -> int:
    media = sum(min(_MEDIA_TOKENS, len(payload)) for payload in payloads(body))
    return len(body["messages"]) * _MESSAGE_TOKENS + len(images(content_parts(body))) * _MEDIA_TOKENS + media
