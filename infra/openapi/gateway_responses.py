"""Responses of API Gateway's own errors, in the platform's envelope."""

import json
from dataclasses import dataclass
from typing import Any

from callmissed.errors import ApiError, envelope, unauthorized
from callmissed.platform.routes import MAX_BODY_BYTES, REFUSAL_HEADERS

_UNAVAILABLE = "The service is briefly unavailable. Please retry."


@dataclass(frozen=True, slots=True)
class _Refusal:
    kind: str
    status: int
    code: str
    message: str
    retry_after_seconds: int | None = None
    keep_status: bool = False


_REFUSALS = (
    _Refusal("UNAUTHORIZED", 401, "invalid_api_key", unauthorized().message),
    # IAM's refusal of an operator. The authorizer denies nobody: see `callmissed.web.caller.refusal_of`.
    _Refusal("ACCESS_DENIED", 403, "permission_denied", "Access denied."),
    _Refusal("INVALID_SIGNATURE", 403, "permission_denied", "The signature is not valid."),
    _Refusal("EXPIRED_TOKEN", 403, "permission_denied", "The credentials of the signature have expired."),
    _Refusal("AUTHORIZER_FAILURE", 503, "service_unavailable", _UNAVAILABLE, retry_after_seconds=1),
    _Refusal("AUTHORIZER_CONFIGURATION_ERROR", 503, "service_unavailable", _UNAVAILABLE, retry_after_seconds=1),
    _Refusal("WAF_FILTERED", 403, "permission_denied", "Access denied."),
    # This is what API Gateway calls a path or method that it does not have.
    _Refusal("MISSING_AUTHENTICATION_TOKEN", 404, "not_found", "There is no such route."),
    _Refusal("RESOURCE_NOT_FOUND", 404, "not_found", "There is no such route."),
    _Refusal(
        "REQUEST_TOO_LARGE",
        413,
        "file_too_large",
        f"The request body is larger than {MAX_BODY_BYTES} bytes.",
    ),
    _Refusal("THROTTLED", 429, "rate_limit_exceeded", "Too many requests. Please retry.", 1),
    _Refusal("QUOTA_EXCEEDED", 429, "quota_exceeded", "The quota is used up."),
    _Refusal("INTEGRATION_FAILURE", 503, "service_unavailable", _UNAVAILABLE, 1),
    _Refusal("INTEGRATION_TIMEOUT", 503, "service_unavailable", _UNAVAILABLE, 1),
    _Refusal("DEFAULT_4XX", 400, "invalid_request_error", "The request was refused.", keep_status=True),
    _Refusal("DEFAULT_5XX", 500, "internal_error", "Something failed on our side.", keep_status=True),
)


def gateway_responses() -> dict[str, Any]:
    """Replacements of API Gateway's own error bodies, by case, in the form of an OpenAPI document.

    The `DEFAULT` ones keep whatever status the case has.
    """
    return {refusal.kind: _response(refusal) for refusal in _REFUSALS}


def refusal_body(status: int, code: str, message: str, request_id: str = "$context.requestId") -> str:
    """The platform's error envelope as JSON text."""
    return json.dumps(envelope("/api/", ApiError(status, code, message), request_id))


def _response(refusal: _Refusal) -> dict[str, Any]:
    headers = _headers(refusal.retry_after_seconds)
    response: dict[str, Any] = {
        "responseParameters": {f"gatewayresponse.header.{name}": value for name, value in headers.items()},
        "responseTemplates": {"application/json": refusal_body(refusal.status, refusal.code, refusal.message)},
    }
    return response if refusal.keep_status else response | {"statusCode": str(refusal.status)}


def _headers(retry_after_seconds: int | None) -> dict[str, str]:
    headers = {"X-Request-Id": "context.requestId"} | {name: f"'{value}'" for name, value in REFUSAL_HEADERS.items()}
    if retry_after_seconds is not None:
        headers["Retry-After"] = f"'{retry_after_seconds}'"
    return headers
