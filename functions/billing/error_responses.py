"""Errors of routes, as the OpenAPI document describes them."""

from callmissed.web.openapi import ErrorResponses

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

ERRORS = ErrorResponses(_MEANINGS)
