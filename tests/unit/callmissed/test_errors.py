"""Errors in the three envelopes, and the type that goes with each code."""

from typing import Any

import pytest

from callmissed.errors import (
    ApiError,
    envelope,
    invalid_api_key,
    invalid_request,
    payload_too_large,
    service_unavailable,
    status_on,
)

STATUSES = [400, 401, 402, 403, 404, 409, 413, 422, 429, 500, 502, 503]
DETAILS = [{"loc": ["body", "name"], "msg": "Field required"}]


def refusal(status: int = 400, code: str = "some_code") -> ApiError:
    return ApiError(status, code, "No.", param="model", headers={"Retry-After": "1"}, details=DETAILS)


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/models/x", "/v1", "/", "/v1/completions/messages"])
@pytest.mark.parametrize("status", STATUSES)
def test_the_openai_envelope(path: str, status: int) -> None:
    error = refusal(status)

    assert envelope(path, error, "req_1") == {
        "error": {
            "message": "No.",
            "type": error.type,
            "code": "some_code",
            "param": "model",
            "request_id": "req_1",
        }
    }


def test_the_openai_envelope_says_that_no_parameter_is_to_blame() -> None:
    assert envelope("/v1/models", ApiError(500, "internal_error", "Oh."), "req_1")["error"]["param"] is None


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/messages/count_tokens", "/anthropic/v1/messages"])
@pytest.mark.parametrize(
    ("status", "kind", "shown"),
    [
        (400, "invalid_request_error", 400),
        (401, "authentication_error", 401),
        (402, "billing_error", 402),
        (403, "permission_error", 403),
        (404, "not_found_error", 404),
        (405, "invalid_request_error", 405),
        (409, "conflict_error", 409),
        (413, "request_too_large", 413),
        (422, "invalid_request_error", 422),
        (429, "rate_limit_error", 429),
        (500, "api_error", 500),
        (502, "api_error", 502),
        (503, "overloaded_error", 529),
    ],
)
def test_the_anthropic_envelope(path: str, status: int, kind: str, shown: int) -> None:
    assert status_on(path, refusal(status)) == shown
    assert envelope(path, refusal(status), "req_1") == {
        "type": "error",
        "error": {"type": kind, "message": "No.", "code": "some_code"},
        "request_id": "req_1",
    }


def test_time_that_ran_out_has_a_status_on_anthropics_surface_alone() -> None:
    error = ApiError(503, "provider_error", "No.", timed_out=True)

    assert (status_on("/v1/messages", error), status_on("/v1/chat/completions", error)) == (504, 503)
    assert envelope("/v1/messages", error, "req_1")["error"]["type"] == "timeout_error"
    assert envelope("/v1/chat/completions", error, "req_1")["error"]["type"] == "api_error"


@pytest.mark.parametrize("status", STATUSES)
def test_the_platforms_envelope_has_details_with_422_only(status: int) -> None:
    error = refusal(status)
    expected: dict[str, Any] = {"code": "some_code", "message": "No.", "type": error.type, "request_id": "req_1"}

    body = envelope("/api/v1/bots", error, "req_1")

    assert body == {"error": expected | ({"details": DETAILS} if status == 422 else {})}


def test_a_422_without_details_says_so() -> None:
    assert envelope("/api/v1/bots", ApiError(422, "validation_error", "No."), "req_1")["error"]["details"] == []


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (401, "invalid_api_key", "invalid_request_error"),
        (401, "token_expired", "authentication_error"),
        (402, "insufficient_credits", "insufficient_quota"),
        (402, "budget_exceeded", "insufficient_quota"),
        (403, "model_not_available", "invalid_request_error"),
        (403, "permission_denied", "permission_error"),
        (403, "domain_not_allowed", "permission_error"),
        (404, "model_not_found", "invalid_request_error"),
        (404, "not_found", "not_found_error"),
        (409, "idempotency_conflict", "conflict_error"),
        (413, "file_too_large", "invalid_request_error"),
        (422, "validation_error", "invalid_request_error"),
        (429, "quota_exceeded", "insufficient_quota"),
        (429, "rate_limit_exceeded", "rate_limit_error"),
        (500, "internal_error", "api_error"),
        (502, "upstream_error", "api_error"),
        (503, "provider_error", "api_error"),
    ],
)
def test_the_type_of_each_code(status: int, code: str, kind: str) -> None:
    assert ApiError(status, code, "No.").type == kind


@pytest.mark.parametrize(
    ("error", "status", "code", "headers"),
    [
        (invalid_request("No.", "n"), 400, "invalid_request_error", {}),
        (invalid_request("No.", "n", "context_length_exceeded"), 400, "context_length_exceeded", {}),
        (invalid_api_key(), 401, "invalid_api_key", {"WWW-Authenticate": "Bearer"}),
        (payload_too_large(4_000_000), 413, "file_too_large", {}),
        (service_unavailable(), 503, "service_unavailable", {"Retry-After": "1"}),
    ],
)
def test_errors_that_are_raised_in_many_places(
    error: ApiError, status: int, code: str, headers: dict[str, str]
) -> None:
    assert (error.status, error.code, error.headers) == (status, code, headers)
    assert str(error) == error.message != ""


def test_the_limit_is_named() -> None:
    assert "4000000 bytes" in payload_too_large(4_000_000).message


def test_an_error_keeps_what_it_was_given_when_the_giver_changes_it() -> None:
    headers, details = {"Retry-After": "1"}, list(DETAILS)
    error = ApiError(422, "validation_error", "No.", headers=headers, details=details)
    headers.clear()
    details.clear()

    assert (error.headers, error.details) == ({"Retry-After": "1"}, DETAILS)
