"""Refusals of an upstream, in our own words."""

import re
from collections.abc import Mapping
from typing import Any, cast

from callmissed.errors import ApiError, invalid_request

_TOO_LONG = re.compile(r"prompt is too long|context (window|limit)", re.IGNORECASE)
_FIELD = re.compile(r"([A-Za-z_]\w*(?:\.\w+){0,12}): ")
_RULES: Mapping[re.Pattern[str], tuple[str, str]] = {
    re.compile(r"prefill|must end with a user message"): (
        "This model can't continue a message of the assistant: the last message must be the user's.",
        "messages",
    ),
    re.compile(r"`temperature` and `top_p` cannot both"): (
        "This model takes 'temperature' or 'top_p', not both.",
        "top_p",
    ),
    re.compile(r"`?top_p`? .{0,60}(not supported|deprecated|unset|0\.95)"): (
        "This model does not take this 'top_p'.",
        "top_p",
    ),
    re.compile(r"`?temperature`? .{0,60}(not supported|deprecated|set to 1)"): (
        "This model does not take this 'temperature'.",
        "temperature",
    ),
    re.compile(r"when tool_choice forces"): ("This model can't think and be forced to call a tool.", "tool_choice"),
    re.compile(r"thinking.{0,40}(not supported|budget_tokens)|effort.{0,40}not supported"): (
        "This model can't think in the way asked for.",
        "reasoning_effort",
    ),
}
"""Rules that differ between models, and so show only when one is asked: our words for each, and the field."""


def refusal_of(error: object) -> ApiError:
    """Our words for an upstream's 4xx. Of its own only what it means, and the field it names, come through."""
    details: dict[str, Any] = cast("dict[str, Any]", error) if isinstance(error, dict) else {}
    message = details.get("message")
    if not isinstance(message, str):
        return invalid_request("The model's provider refuses the request as invalid.")
    if _TOO_LONG.search(message):
        text = "The request is longer than the model's context window."
        return invalid_request(text, "messages", "context_length_exceeded")
    for rule, (text, param) in _RULES.items():
        if rule.search(message):
            return invalid_request(text, param)
    named = _FIELD.match(message)
    field = f" (field '{named[1][:64]}')" if named else ""
    return invalid_request(f"The model's provider refuses the request as invalid{field}.")
