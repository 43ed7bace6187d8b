"""Tokens of a call: what its reply reports, and our own count of a request whose reply reports nothing."""

import json
from collections.abc import Mapping
from typing import Any, cast

from callmissed_ai.dialects.openai_chat.request import IMAGE_PARTS
from callmissed_ai.tokens import counting
from callmissed_ai.tokens.usage import MAX_TOKENS, TokenUsage

_MESSAGE_TOKENS = 4
_IMAGE_TOKENS = 258


def read_usage(value: object) -> TokenUsage | None:
    """Usage in the `usage` object of a reply, or None where there is none that makes sense. Zeros are kept."""
    if not isinstance(value, dict):
        return None
    usage = cast("dict[str, Any]", value)
    prompt, completion = _reported(usage.get("prompt_tokens")), _reported(usage.get("completion_tokens"))
    if prompt is None or completion is None:
        return None
    cached = min(_reported_detail(usage, "cached_tokens"), prompt)
    written = min(_reported_detail(usage, "cache_write_tokens"), prompt - cached)
    return TokenUsage(prompt, completion, cached, cache_write=written)


def _reported_detail(usage: Mapping[str, Any], name: str) -> int:
    details: Any = usage.get("prompt_tokens_details")
    return _reported(cast("dict[str, Any]", details).get(name)) or 0 if isinstance(details, dict) else 0


def _reported(value: object) -> int | None:
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    return value if 0 <= value <= MAX_TOKENS else None


def count_request(body: Mapping[str, Any]) -> int:
    """Tokens of a chat request: its texts, its tools as JSON, a flat 258 an image."""
    tools = body.get("tools")
    total = counting.count_text(json.dumps(tools, ensure_ascii=False, separators=(",", ":"))) if tools else 0
    return total + sum(_MESSAGE_TOKENS + _count_content(message.get("content")) for message in body["messages"])


def _count_content(content: Any) -> int:
    if isinstance(content, list):
        return sum(map(_count_part, content))  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    return counting.count_text(content or "")


def _count_part(part: Mapping[str, Any]) -> int:
    if isinstance(part.get("text"), str):
        return counting.count_text(part["text"])
    return _IMAGE_TOKENS if part["type"] in IMAGE_PARTS else min(_IMAGE_TOKENS, len(str(part)) // 4)
