"""Tokens of a call: what its reply reports, and our own count of a request whose reply reports nothing."""

from collections.abc import Mapping
from typing import Any, cast

from callmissed_ai.dialects.conversation import ReplyFrame
from callmissed_ai.dialects.openai_chat.request import content_parts, images
from callmissed_ai.dialects.openai_chat.texts import payloads, texts
from callmissed_ai.tokens import counting
from callmissed_ai.tokens.usage import TokenUsage, reported_count

_MESSAGE_TOKENS = 4
_MEDIA_TOKENS = 258


def reported_usage(chunk: Mapping[str, Any]) -> object:
    """The `usage` object of a chunk, or of a whole reply: where Groq and Moonshot have it, too."""
    if usage := chunk.get("usage"):
        return usage
    choices, groq = chunk.get("choices"), chunk.get("x_groq")
    first: Any = cast("list[Any]", choices)[0] if isinstance(choices, list) and choices else None
    return next((found for each in (groq, first) if (found := _field(each, "usage"))), None)


def read_usage(value: object) -> TokenUsage | None:
    """Usage in the `usage` object of a reply, or None where there is none that makes sense. Zeros are kept.

    xAI and Gemini count reasoning in the total alone.
    """
    if not isinstance(value, dict):
        return None
    usage = cast("dict[str, Any]", value)
    prompt, completion = reported_count(usage.get("prompt_tokens")), reported_count(usage.get("completion_tokens"))
    if prompt is None or completion is None:
        return None
    output = max(completion, (reported_count(usage.get("total_tokens")) or 0) - prompt)
    read, wrote = usage.get("prompt_tokens_details"), usage.get("completion_tokens_details")
    cached = min(_reported_detail(read, "cached_tokens") or _top_level_cached(usage), prompt)
    written = min(_reported_detail(read, "cache_write_tokens"), prompt - cached)
    reasoning = min(_reported_detail(wrote, "reasoning_tokens"), output)
    return TokenUsage(prompt, output, cached, cache_write=written, reasoning=reasoning)


def write_usage(used: TokenUsage) -> dict[str, Any]:
    """Usage as this dialect counts it: input includes what was read from a cache or written to one."""
    return {
        "prompt_tokens": used.input,
        "completion_tokens": used.output,
        "total_tokens": used.input + used.output,
        "prompt_tokens_details": {"cached_tokens": used.cached, "cache_write_tokens": used.cache_write},
        "completion_tokens_details": {"reasoning_tokens": used.reasoning},
    }


def reply_head(frame: ReplyFrame) -> dict[str, Any]:
    """What a whole reply begins with."""
    return {
        "id": f"chatcmpl-{frame.reply_id}",
        "object": "chat.completion",
        "created": frame.created,
        "model": frame.model,
    }


def chunk_head(frame: ReplyFrame) -> dict[str, Any]:
    """What each chunk of a stream begins with."""
    return {**reply_head(frame), "object": "chat.completion.chunk"}


def _reported_detail(details: object, name: str) -> int:
    return reported_count(_field(details, name)) or 0


def _top_level_cached(usage: Mapping[str, Any]) -> int:
    """Cached tokens where DeepSeek and Moonshot report them."""
    return reported_count(usage.get("prompt_cache_hit_tokens")) or reported_count(usage.get("cached_tokens")) or 0


def _field(value: object, name: str) -> object:
    return cast("dict[str, Any]", value).get(name) if isinstance(value, dict) else None


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
