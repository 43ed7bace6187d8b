"""Refusals of an upstream, in our own words."""

import re
from typing import Any, cast

from callmissed.errors import ApiError, invalid_request


def refusal_of(error: object) -> ApiError:
    """Our words for an upstream's 4xx. Of its own only a known code and a field's name come through."""
    details: dict[str, Any] = cast("dict[str, Any]", error) if isinstance(error, dict) else {}
    param = details.get("param")
    known = param if isinstance(param, str) and re.fullmatch(r"[\w.\[\]]{1,64}", param) else None
    if details.get("code") == "context_length_exceeded":
        return invalid_request(
            "The request is longer than the model's context window.", "messages", str(details["code"])
        )
    field = f" (field '{known}')" if known else ""
    return invalid_request(f"The model's provider refuses the request as invalid{field}.", known)


def refusal_of_sandbox(status: int, error: object, retry_after: str | None) -> ApiError:
    """The sandbox's own 4xx, words and all: it is asked for them so that callers can test their error handling."""
    details: dict[str, Any] = cast("dict[str, Any]", error) if isinstance(error, dict) else {}
    known = {401: "invalid_api_key", 429: "rate_limit_exceeded"}
    return ApiError(
        status,
        known.get(status, "invalid_request_error"),
        str(details.get("message") or "The sandbox refuses the request."),
        param=details.get("param"),
        headers={"Retry-After": retry_after} if retry_after else None,
    )
