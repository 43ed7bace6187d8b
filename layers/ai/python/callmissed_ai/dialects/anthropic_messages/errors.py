"""Refusals of an upstream, in our own words."""

import re
from typing import Any, cast

from callmissed.errors import ApiError, invalid_request

_TOO_LONG = re.compile(r"prompt is too long|context (window|limit)", re.IGNORECASE)


def refusal_of(error: object) -> ApiError:
    """Our words for an upstream's 4xx. Of its own only what it means comes through: this dialect has no codes."""
    details: dict[str, Any] = cast("dict[str, Any]", error) if isinstance(error, dict) else {}
    message = details.get("message")
    if isinstance(message, str) and _TOO_LONG.search(message):
        text = "The request is longer than the model's context window."
        return invalid_request(text, "messages", "context_length_exceeded")
    return invalid_request("The model's provider refuses the request as invalid.")
