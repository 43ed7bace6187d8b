"""Refusals of Bedrock, in our own words."""

import re
from typing import Any, cast

from callmissed.errors import ApiError, invalid_request
from callmissed_ai.dialects.anthropic_messages import errors as anthropic

_TOO_LONG = re.compile(r"(input|prompt) is too long|too many (input )?tokens|context (window|length)", re.IGNORECASE)
_OF_MODEL = "The model returned the following errors: "


def refusal_of(error: object) -> ApiError:
    """Our words for a 4xx: Bedrock's validation errors have no codes, and those of Claude are in Anthropic's words."""
    details: dict[str, Any] = cast("dict[str, Any]", error) if isinstance(error, dict) else {}
    message = details.get("message") or details.get("Message")
    text = message.removeprefix(_OF_MODEL) if isinstance(message, str) else ""
    if _TOO_LONG.search(text):
        said = "The request is longer than the model's context window."
        return invalid_request(said, "messages", "context_length_exceeded")
    return anthropic.refusal_of({"message": text})
