"""Graph's errors: their codes, HTTP status and shape.

https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

JsonObject = dict[str, Any]
HREF = "https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes/"

INVALID_PARAMETER = 100
INVALID_TOKEN = 190
CALLBACK_FAILED = 2200
UNKNOWN_PATH = 2500
RATE_HIT = 130429
MISSING_PARAMETER = 131008
INVALID_VALUE = 131009
UNDELIVERABLE = 131026
OUTSIDE_WINDOW = 131047
PAIR_RATE_HIT = 131056

UNKNOWN_OBJECT = 33
"""Subcode of `INVALID_PARAMETER` for an id that does not exist, or that the token may not see."""

SESSION_INVALIDATED = 460
"""Subcode of `INVALID_TOKEN` for a token that was revoked."""


@dataclass(frozen=True, slots=True)
class ErrorCode:
    """HTTP status and title of a code."""

    status: int
    title: str


ERROR_CODES: Mapping[int, ErrorCode] = {
    0: ErrorCode(401, "Unable to authenticate the app user"),
    1: ErrorCode(400, "An unknown error occurred"),
    2: ErrorCode(503, "Service temporarily unavailable"),
    3: ErrorCode(500, "Capability or permissions issue"),
    4: ErrorCode(429, "Application request limit reached"),
    10: ErrorCode(403, "Permission denied"),
    INVALID_PARAMETER: ErrorCode(400, "Invalid parameter"),
    INVALID_TOKEN: ErrorCode(401, "Invalid OAuth access token - Cannot parse access token"),
    200: ErrorCode(403, "API permission"),
    368: ErrorCode(403, "Temporarily blocked for policies violations"),
    CALLBACK_FAILED: ErrorCode(400, "Callback verification failed"),
    UNKNOWN_PATH: ErrorCode(400, "Unknown path components"),
    80007: ErrorCode(429, "Rate limit issues"),
    RATE_HIT: ErrorCode(429, "Rate limit hit"),
    130472: ErrorCode(400, "User's number is part of an experiment"),
    130497: ErrorCode(403, "Business account is restricted from messaging users in this country"),
    131000: ErrorCode(500, "Something went wrong"),
    131005: ErrorCode(403, "Access denied"),
    MISSING_PARAMETER: ErrorCode(400, "Required parameter is missing"),
    INVALID_VALUE: ErrorCode(400, "Parameter value is not valid"),
    131016: ErrorCode(500, "Service unavailable"),
    131021: ErrorCode(400, "Recipient cannot be sender"),
    UNDELIVERABLE: ErrorCode(400, "Message undeliverable"),
    131031: ErrorCode(403, "Account has been locked"),
    131042: ErrorCode(400, "Business eligibility payment issue"),
    131045: ErrorCode(500, "Incorrect certificate"),
    OUTSIDE_WINDOW: ErrorCode(400, "Re-engagement message"),
    131048: ErrorCode(429, "Spam rate limit hit"),
    131049: ErrorCode(400, "This message was not delivered to maintain healthy ecosystem engagement"),
    131051: ErrorCode(400, "Unsupported message type"),
    131052: ErrorCode(400, "Media download error"),
    131053: ErrorCode(400, "Media upload error"),
    PAIR_RATE_HIT: ErrorCode(429, "(Business Account, Consumer Account) pair rate limit hit"),
    131057: ErrorCode(500, "Account in maintenance mode"),
    132000: ErrorCode(400, "Number of parameters does not match the expected number of params"),
    132001: ErrorCode(404, "Template name does not exist in the translation"),
    133010: ErrorCode(400, "Phone number not registered"),
}


class GraphRefusal(Exception):
    """A request that Graph refuses, with `code`, and `details` for people."""

    def __init__(
        self,
        code: int,
        details: str = "",
        *,
        subcode: int | None = None,
        message: str | None = None,
        status: int | None = None,
        kind: str = "OAuthException",
    ) -> None:
        known = ERROR_CODES.get(code, ErrorCode(400, "Something went wrong"))
        self.code = code
        self.details = details
        self.status = status or known.status
        self._subcode = subcode
        self._message = message or f"(#{code}) {known.title}"
        self._kind = kind
        super().__init__(self._message)

    def body(self, trace: str) -> JsonObject:
        """The answer's body; `trace` is Meta's id of the request."""
        error: JsonObject = {"message": self._message, "type": self._kind, "code": self.code}
        if self._subcode is not None:
            error["error_subcode"] = self._subcode
        if self.details:
            error["error_data"] = {"messaging_product": "whatsapp", "details": self.details}
        return {"error": error | {"fbtrace_id": trace}}


def invalid_parameter(text: str) -> GraphRefusal:
    """100 for a parameter of Graph itself; its message names the parameter."""
    return GraphRefusal(INVALID_PARAMETER, message=f"(#{INVALID_PARAMETER}) {text}")


def unknown_object(method: str, object_id: str) -> GraphRefusal:
    """100/33: no such object, or not for this token."""
    text = (
        f"Unsupported {method.lower()} request. Object with ID '{object_id}' does not exist, cannot be loaded due to "
        "missing permissions, or does not support this operation. Please read the Graph API documentation at "
        "https://developers.facebook.com/docs/graph-api"
    )
    return GraphRefusal(INVALID_PARAMETER, subcode=UNKNOWN_OBJECT, message=text, kind="GraphMethodException")


def status_error(code: int, details: str) -> JsonObject:
    """The error of a status `failed`."""
    title = ERROR_CODES.get(code, ErrorCode(400, "Something went wrong")).title
    return {"code": code, "title": title, "message": title, "error_data": {"details": details or title}, "href": HREF}
