"""Errors of routes, as the OpenAPI document describes them."""

from typing import Any

from callmissed.web.openapi import errors

_MEANINGS = {
    400: "`invalid_request_error`, `invalid_idempotency_key`",
    401: "`invalid_api_key`: no key, an unknown, paused, revoked or expired one",
    402: "`insufficient_credits`, `budget_exceeded`",
    403: "`permission_denied`: the key lacks the scope, or the person the role",
    404: "`not_found`: the tenant has none",
    409: "`conflict`, `idempotency_conflict`, `idempotency_in_progress`",
    413: "`file_too_large`: the body is over 4 MB",
    422: "`invalid_request_error`: `details` names what is wrong",
    429: "`rate_limit_exceeded`; wait `Retry-After` seconds",
    502: "`provider_error`: the provider refused, or its answer can't be used",
    503: "`service_unavailable`; nothing was done",
}
_ALWAYS = (401, 403, 429, 503)
_CHANGES = (400, 409, 413)
"""Statuses of every request that may have a body and an Idempotency-Key."""


def error_responses(*statuses: int, changes: bool = False) -> dict[int | str, dict[str, Any]]:
    """The errors of a route: those of every route, `statuses`, and those of a POST or PUT if it `changes` something."""
    named = {*_ALWAYS, *statuses, *(_CHANGES if changes else ())}
    return errors("ErrorEnvelope", {status: _MEANINGS[status] for status in named})
