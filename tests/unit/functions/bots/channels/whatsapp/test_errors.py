"""What errors of Graph mean, whatever they lack."""

import pytest

from functions.bots.channels.whatsapp.errors import FaultMeaning, fault_of


@pytest.mark.parametrize(
    ("error", "meaning"),
    [
        ({"code": 131047}, FaultMeaning.WINDOW_CLOSED),
        ({"code": 131026}, FaultMeaning.UNDELIVERABLE),
        ({"code": 131056}, FaultMeaning.PAIR_RATE),
        ({"code": 130429}, FaultMeaning.THROUGHPUT),
        ({"code": 190}, FaultMeaning.TOKEN),
        ({"code": 100}, FaultMeaning.INVALID),
        ({"code": 100, "error_subcode": 33}, FaultMeaning.NUMBER),
        ({"code": 424242}, FaultMeaning.OTHER),
        ({"code": True}, FaultMeaning.OTHER),
        ({"code": "190"}, FaultMeaning.OTHER),
        ({}, FaultMeaning.OTHER),
    ],
)
def test_meaning_follows_the_code(error: dict[str, object], meaning: FaultMeaning) -> None:
    assert fault_of(400, {"error": error}).meaning is meaning


def test_details_are_kept_and_bounded() -> None:
    error = {"code": 100, "message": "m" * 1000, "error_data": {"details": "d" * 1000}}
    fault = fault_of(400, {"error": error})
    assert (fault.title, fault.details) == ("m" * 500, "d" * 500)


@pytest.mark.parametrize("body", [{}, {"error": None}, {"error": []}, {"error": {"error_data": 1, "message": 2}}])
def test_error_without_anything_has_a_title(body: dict[str, object]) -> None:
    fault = fault_of(401, body)
    assert (fault.code, fault.title, fault.details) == (None, "HTTP 401", None)
    assert fault.meaning is FaultMeaning.TOKEN


@pytest.mark.parametrize(("code", "passes"), [(131056, True), (130429, True), (131048, False), (131026, False)])
def test_rates_pass_and_spam_does_not(code: int, passes: bool) -> None:
    assert fault_of(429, {"error": {"code": code}}).may_pass is passes
