"""The sandbox's own 4xx, as callers get them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callmissed_ai.providers.sandbox.refusal import refusal_of_sandbox
from tests.support.inference.any_json import anything

ERROR = {"message": "No such tool.", "type": "invalid_request_error", "param": "tools", "code": "invalid_value"}


@pytest.mark.parametrize(
    ("status", "code"),
    [(400, "invalid_request_error"), (401, "invalid_api_key"), (429, "rate_limit_exceeded")],
)
def test_words_and_field_come_through(status: int, code: str) -> None:
    refusal = refusal_of_sandbox(status, ERROR, "2")

    assert (refusal.status, refusal.code, refusal.message, refusal.param) == (status, code, "No such tool.", "tools")
    assert dict(refusal.headers or {}) == {"Retry-After": "2"}


@given(st.integers(400, 499), anything)
def test_any_error_becomes_a_refusal(status: int, error: Any) -> None:
    refusal = refusal_of_sandbox(status, error, None)

    assert refusal.status == status
    assert refusal.message
