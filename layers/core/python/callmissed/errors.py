"""Errors that callers see, and the three envelopes that carry them.

    ApiError                     status, code, message; raised anywhere below a route
    ├─ in /v1/*                  {"error": {"message", "type", "code", "param", "request_id"}}
    ├─ in /v1/messages*, /anthropic/*
    │                            {"type": "error", "error": {"type", "message", "code"}, "request_id"}
    └─ in /api/v1/*              {"error": {"code", "message", "type", "request_id"}} + "details" on 422

Anthropic's surface has statuses of its own too: 529 for a 503, and 504 where time ran out (`status_on`).
Messages are written here: an upstream's text or a stack trace is never shown.
"""

from collections.abc import Mapping, Sequence
from typing import Any

_TYPES_BY_STATUS = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "insufficient_quota",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    410: "invalid_request_error",
    413: "invalid_request_error",
    422: "invalid_request_error",
    429: "rate_limit_error",
}
_TYPES_BY_CODE = {
    "invalid_api_key": "invalid_request_error",
    "model_not_available": "invalid_request_error",
    "model_not_found": "invalid_request_error",
    "quota_exceeded": "insufficient_quota",
}
_ANTHROPIC_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    405: "invalid_request_error",
    409: "conflict_error",
    413: "request_too_large",
    422: "invalid_request_error",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}
"""`error.type` by status, as https://platform.claude.com/docs/en/api/errors has both."""

_TIMED_OUT, _OVERLOADED = 504, 529


class ApiError(Exception):
    """A refusal or failure with the status, code and headers that the caller gets.

    `timed_out` says that a provider took too long.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        param: str | None = None,
        headers: Mapping[str, str] | None = None,
        details: Sequence[Mapping[str, Any]] = (),
        timed_out: bool = False,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.param = param
        self.headers = dict(headers or {})
        self.details = list(details)
        self.timed_out = timed_out

    @property
    def type(self) -> str:
        """The `error.type` of the OpenAI and platform envelopes."""
        return _TYPES_BY_CODE.get(self.code) or _TYPES_BY_STATUS.get(self.status, "api_error")


def envelope(path: str, error: ApiError, request_id: str) -> dict[str, Any]:
    """Body of `error` in the envelope that the surface of `path` promises."""
    if is_anthropic(path):
        kind = _ANTHROPIC_TYPES.get(status_on(path, error), "api_error")
        return {
            "type": "error",
            "error": {"type": kind, "message": error.message, "code": error.code},
            "request_id": request_id,
        }
    body: dict[str, Any] = {"message": error.message, "type": error.type, "code": error.code}
    if path.startswith("/api/"):
        body |= {"request_id": request_id}
        if error.status == 422:
            body["details"] = error.details
        return {"error": body}
    return {"error": body | {"param": error.param, "request_id": request_id}}


def status_on(path: str, error: ApiError) -> int:
    """The HTTP status of `error` on the surface of `path`: Anthropic has no 503."""
    if error.status != 503 or not is_anthropic(path):
        return error.status
    return _TIMED_OUT if error.timed_out else _OVERLOADED


def is_anthropic(path: str) -> bool:
    """Whether `path` speaks Anthropic's dialect."""
    return path.startswith(("/v1/messages", "/anthropic/"))


def invalid_request(message: str, param: str | None = None, code: str = "invalid_request_error") -> ApiError:
    """400: the request is not valid, or asks for something that the model can't do."""
    return ApiError(400, code, message, param=param)


def invalid_api_key(message: str = "Incorrect API key: it is unknown, paused, revoked or expired.") -> ApiError:
    """401: the key is missing, malformed, or as the default message says, which does not say which it is."""
    return ApiError(401, "invalid_api_key", message, headers={"WWW-Authenticate": "Bearer"})


def account_closed(status: str = "") -> ApiError:
    """403: the tenant is being deleted, by its `status`; or it is suspended or deactivated, or there is none."""
    if status == "deleting":
        return ApiError(403, "account_terminated", "This account is being deleted.")
    return ApiError(403, "account_inactive", "This account is not active.")


def unauthorized() -> ApiError:
    """401 of the gateway, which does not learn why the authorizer refused."""
    return invalid_api_key(
        "No valid credentials: none were sent, or they are mistyped, unknown, paused, revoked or expired, or for "
        "other routes. Send an API key that begins with 'cm_live_' or 'cm_test_', or the access token of a signed-in "
        "person where the route asks for one, as 'Authorization: Bearer ...'."
    )


def payload_too_large(limit_bytes: int) -> ApiError:
    """413: the body is over the platform's limit for direct calls."""
    return ApiError(413, "file_too_large", f"The request body is larger than {limit_bytes} bytes.")


def service_unavailable(message: str = "The service is briefly unavailable. Please retry.") -> ApiError:
    """503: our own storage did not answer; nothing was done and nothing is charged."""
    return ApiError(503, "service_unavailable", message, headers={"Retry-After": "1"})
