"""Where providers put the error of a refusal, and which 4xx are the operator's to mend."""

import json
from typing import Any

import pytest

from callmissed_ai.routing.refusals import error_of, is_about_our_account

ERROR = {"message": "No", "code": "x"}


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"error": ERROR}, ERROR),
        ([{"error": ERROR}], ERROR),
        ({"success": False, "errors": [ERROR], "result": None}, ERROR),
        ({"object": "error", **ERROR}, {"object": "error", **ERROR}),
        ({"code": "Some", "error": "No"}, {"message": "No"}),
        ({"errors": []}, {"errors": []}),
        ({"detail": ERROR}, ERROR),
        ({"detail": [ERROR]}, {"detail": [ERROR]}),
        ([], None),
        ([1], None),
        ("No", None),
        (None, None),
    ],
)
def test_error_is_found(body: Any, error: Any) -> None:
    assert error_of(json.dumps(body).encode()) == error


@pytest.mark.parametrize("body", [b"", b"<html>", b"\xff", b"[" * 100_000])
def test_body_that_is_no_json_has_no_error(body: bytes) -> None:
    assert error_of(body) is None


@pytest.mark.parametrize(
    ("error", "ours"),
    [
        ({"message": "API key not valid. Please pass a valid API key."}, True),
        ({"message": "Your credit balance is too low to access the Anthropic API."}, True),
        ({"message": "Incorrect API key provided: ab***yz."}, True),
        ({"message": "please make sure your account is in good standing."}, True),
        ({"message": "temperature must be positive"}, False),
        ({"message": None}, False),
        ({}, False),
        ("API key not valid", False),
        (None, False),
    ],
)
def test_account_is_the_operators(error: Any, ours: bool) -> None:
    assert is_about_our_account(error) is ours
