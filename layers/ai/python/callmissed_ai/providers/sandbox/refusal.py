"""The sandbox's 4xx, as callers get them."""

from typing import Any, cast

from callmissed.errors import ApiError


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
