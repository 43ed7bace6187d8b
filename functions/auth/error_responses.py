"""Errors of routes, as the OpenAPI document describes them."""

from typing import Any

from callmissed.web.openapi import errors

_MEANINGS = {
    400: "`invalid_request_error`, `invalid_code`, `invalid_idempotency_key`",
    401: "`invalid_token`, `token_expired`, `invalid_api_key`; at a sign-in `invalid_credentials`, `captcha_failed`",
    403: "`permission_denied`: another role is needed; `account_inactive`, `account_terminated`; at a sign-in "
    "`account_deactivated`, `email_not_verified`; `limit_reached`",
    404: "`not_found`: the tenant has none",
    409: "`conflict`, `idempotency_conflict`, `idempotency_in_progress`",
    410: "`gone`: not possible any more; the message names what is",
    413: "`file_too_large`: the body is over 4 MB",
    422: "`invalid_request_error`: `details` names what is wrong",
    429: "`rate_limit_exceeded`; wait `Retry-After` seconds",
    503: "`service_unavailable`; nothing was done",
}
_ALWAYS = (429, 503)
_SIGNED_IN = (401, 403)
_OF_OPERATORS = (400, 403, 404, 413, 422)
_CHANGES = (400, 409, 413, 422)


def public_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The errors of a public route."""
    return _errors(*_ALWAYS, 400, 413, 422, *statuses)


def session_responses(*statuses: int, changes: bool = False) -> dict[int | str, dict[str, Any]]:
    """The errors of a route of signed-in people, and those of a request with a body if it `changes` something."""
    return _errors(*_ALWAYS, *_SIGNED_IN, *statuses, *(_CHANGES if changes else ()))


def operator_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The errors of a route of operators: 404 without a signature, 403 for a wrong one or a missing right."""
    return _errors(*_ALWAYS, *_OF_OPERATORS, *statuses)


def _errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    return errors("ErrorEnvelope", {status: _MEANINGS[status] for status in set(statuses)})
