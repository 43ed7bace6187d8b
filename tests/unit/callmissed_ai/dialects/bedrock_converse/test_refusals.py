"""Converse's refusals, in our words."""

import pytest

from callmissed_ai.routing.refusals import is_about_our_account
from tests.support.inference.converse_requests import CONVERSE


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("Input is too long for requested model.", "context_length_exceeded"),
        (
            "The model returned the following errors: prompt is too long: 9 > 8",
            "context_length_exceeded",
        ),
        ("Malformed input request: secret-detail", "invalid_request_error"),
    ],
)
def test_refusals_are_in_our_words(message: str, code: str) -> None:
    error = CONVERSE.refusal({"message": message})

    assert error.status == 400
    assert error.code == code
    assert "secret-detail" not in error.message


@pytest.mark.parametrize(
    "message",
    [
        "The provided model identifier is invalid.",
        "Invocation of model ID anthropic.x with on-demand throughput isn't supported.",
    ],
)
def test_refusals_of_our_model_ids_are_no_callers_fault(message: str) -> None:
    assert is_about_our_account({"message": message})
