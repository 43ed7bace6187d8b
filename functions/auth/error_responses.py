"""Errors of routes, as the OpenAPI document describes them."""

from callmissed.web.openapi import ErrorResponses

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

ERRORS = ErrorResponses(_MEANINGS, of_public=(400, 413, 422))
