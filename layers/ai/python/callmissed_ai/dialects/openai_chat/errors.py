"""Refusals of an upstream, in our own words."""

import re
from typing import Any, cast

from callmissed.errors import ApiError, invalid_request


def refusal_of(error: object, prompt: str) -> ApiError:
    """Our words for an upstream's 4xx. Of its own only a known code and a field's name come through.

    `prompt` is the field that holds what a model's context window bounds.
    """
    details: dict[str, Any] = cast("dict[str, Any]", error) if isinstance(error, dict) else {}
    param = details.get("param")
    known = param if isinstance(param, str) and re.fullmatch(r"[\w.\[\]]{1,64}", param) else None
    if details.get("code") == "context_length_exceeded":
        return invalid_request("The request is longer than the model's context window.", prompt, str(details["code"]))
    field = f" (field '{known}')" if known else ""
    return invalid_request(f"The model's provider refuses the request as invalid{field}.", known)
