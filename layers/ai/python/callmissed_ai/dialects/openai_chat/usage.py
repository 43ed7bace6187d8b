"""Usage that a reply reports."""

from typing import Any, cast

from callmissed_ai.tokens.usage import MAX_TOKENS, TokenUsage


def read_usage(value: object) -> TokenUsage | None:
    """Usage in the `usage` object of a reply, or None where there is none that makes sense. Zeros are kept."""
    if not isinstance(value, dict):
        return None
    usage = cast("dict[str, Any]", value)
    prompt, completion = _count(usage.get("prompt_tokens")), _count(usage.get("completion_tokens"))
    if prompt is None or completion is None:
        return None
    details: Any = usage.get("prompt_tokens_details")
    cached = _count(cast("dict[str, Any]", details).get("cached_tokens")) if isinstance(details, dict) else None
    return TokenUsage(prompt, completion, min(cached or 0, prompt))


def _count(value: object) -> int | None:
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    return value if 0 <= value <= MAX_TOKENS else None
