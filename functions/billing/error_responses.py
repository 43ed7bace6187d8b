"""Errors of routes, as the OpenAPI document describes them."""

from typing import Any

from callmissed.web.openapi import errors

_MEANINGS = {
    400: "`invalid_request_error`, `order_completed`, `order_expired`, `invalid_idempotency_key`",
    401: "`invalid_token`, `token_expired`, `invalid_api_key`",
    403: "`permission_denied`: another role is needed; `account_inactive`, `account_terminated`",
    404: "`not_found`: the tenant has none",
    409: "`amount_mismatch`, `conflict`, `idempotency_conflict`, `idempotency_in_progress`",
    413: "`file_too_large`: the body is over 4 MB",
    422: "`invalid_request_error`: `details` names what is wrong",
    429: "`rate_limit_exceeded`; wait `Retry-After` seconds",
    502: "`payment_gateway_error`: the payment gateway did not accept the request; an order stays, and may be retried",
    503: "`service_unavailable`; `payments_not_configured`: the platform has no payment gateway",
}
_ALWAYS = (429, 503)
_SIGNED_IN = (401, 403)
_OF_OPERATORS = (400, 403, 404, 413, 422)
_CHANGES = (400, 409, 413, 422)


def public_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The errors of a public route."""
    return _errors(*_ALWAYS, *statuses)


def session_responses(*statuses: int, changes: bool = False) -> dict[int | str, dict[str, Any]]:
    """The errors of a route of signed-in people, and those of a request with a body if it `changes` something."""
    return _errors(*_ALWAYS, *_SIGNED_IN, *statuses, *(_CHANGES if changes else ()))


def operator_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The errors of a route of operators: 404 without a signature, 403 for a wrong one or a missing right."""
    return _errors(*_ALWAYS, *_OF_OPERATORS, *statuses)


def _errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    return errors("ErrorEnvelope", {status: _MEANINGS[status] for status in set(statuses)})
