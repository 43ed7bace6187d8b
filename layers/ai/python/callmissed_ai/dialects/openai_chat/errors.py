"""Refusals of an upstream, in our own words."""

import re
from typing import Any, cast

from callmissed.errors import ApiError, invalid_request

_TOO_LONG = re.compile(
    r"context[ _](length|window)|maximum (context|prompt)|too large for model|exceeds? the (maximum|model's)",
    re.IGNORECASE,
)
"""Words of providers without a code for it."""

_FILTERED = frozenset(
    {
        "1301",
        "contentFilter",
        "content_filter",
        "content_policy_violation",
        "data_inspection_failed",
        "moderation_blocked",
    }
)
"""Codes, or types, for what a filter refuses; 1301 is Z.ai's."""

_FILTER_WORDS = re.compile(r"\bNSFW\b|\b(Request|Content) Moderated\b")
"""Words of providers without a code for that."""


def refusal_of(error: object, prompt: str) -> ApiError:
    """Our words for an upstream's 4xx. Of its own only a known code and a field's name come through.

    `prompt` is the field that holds what a model's context window bounds.
    """
    details: dict[str, Any] = cast("dict[str, Any]", error) if isinstance(error, dict) else {}
    param = details.get("param")
    known = param if isinstance(param, str) and re.fullmatch(r"[\w.\[\]]{1,64}", param) else None
    code, message = details.get("code"), details.get("message")
    if code == "context_length_exceeded" or (isinstance(message, str) and _TOO_LONG.search(message)):
        text = "The request is longer than the model's context window."
        return invalid_request(text, prompt, "context_length_exceeded")
    filtered = any(isinstance(said, str) and said in _FILTERED for said in (code, details.get("type")))
    if filtered or (isinstance(message, str) and _FILTER_WORDS.search(message)):
        return refused_by_filter(prompt)
    field = f" (field '{known}')" if known else ""
    return invalid_request(f"The model's provider refuses the request as invalid{field}.", known)


def refused_by_filter(prompt: str) -> ApiError:
    """400 for what a filter refuses of the field `prompt`, or of what was made of it."""
    text = "The model's provider refuses the request because of its content."
    return invalid_request(text, prompt, "content_policy_violation")
