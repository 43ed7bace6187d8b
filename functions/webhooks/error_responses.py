"""Errors of routes, as the OpenAPI document describes them."""

from typing import Any

from pydantic import BaseModel, Field

_MEANINGS = {
    400: "`url_rejected`, `webhook_inactive`, `invalid_request_error`",
    401: "`invalid_api_key`: no key, an unknown, revoked or expired one",
    403: "`permission_denied`: the key lacks the scope `webhooks:write`",
    404: "`not_found`: the tenant has none",
    409: "`webhook_limit_reached`, `conflict`",
    410: "`event_expired`: the event is no longer kept",
    422: "`invalid_request_error`: `details` names what is wrong",
    429: "`rate_limit_exceeded`; wait `Retry-After` seconds",
    503: "`service_unavailable`; nothing was done",
}
_ALWAYS = (401, 403, 429, 503)


class ErrorDetails(BaseModel):
    """Why a request failed."""

    code: str
    message: str
    type: str
    request_id: str
    details: list[dict[str, Any]] | None = Field(
        default=None, description="On 422: `loc` and `msg` of everything that is wrong."
    )


class ErrorEnvelope(BaseModel):
    """The body of every error."""

    error: ErrorDetails


def error_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The errors of a route: those of every route, and `statuses`."""
    return {
        status: {"model": ErrorEnvelope, "description": _MEANINGS[status]} for status in sorted({*_ALWAYS, *statuses})
    }
