"""Tokens that Bedrock reports."""

from typing import Any, cast

from callmissed_ai.tokens.usage import TokenUsage, reported_count

_NAMES = ("inputTokens", "cacheReadInputTokens", "cacheWriteInputTokens", "outputTokens")


def read_usage(value: object) -> TokenUsage | None:
    """Usage in a `usage` object, or None where there is none that makes sense.

    Input that was read from a cache, or written to one, is not part of `inputTokens`.
    """
    if not isinstance(value, dict):
        return None
    usage = cast("dict[str, Any]", value)
    counts = [reported_count(usage.get(name)) for name in _NAMES]
    *inputs, output = counts
    if output is None or all(count is None for count in inputs):
        return None
    new, cached, written = (count or 0 for count in inputs)
    return TokenUsage(new + cached + written, output, cached, cache_write=written)
