"""Answers and callbacks of the gateway: amounts are exact, and what can't be read grants nothing."""

from typing import Any

import pytest

from callmissed.money import Paise
from functions.billing.payments.cashfree_answers import parsed, payment_of, payments_of, refund_of, session_of
from functions.billing.payments.gateway import GatewayError, GatewayUnavailable, PaymentStatus, RefundStatus

PAYMENT = (
    '{"cf_payment_id": 5114, "payment_status": "SUCCESS", "payment_amount": %s, "payment_currency": "INR",'
    ' "payment_group": "upi"}'
)
REFUND = {"order_id": "cm_1", "refund_id": "op1", "refund_status": "SUCCESS", "refund_amount": 5}
ORDER = {
    "order_amount": 99,
    "order_currency": "INR",
    "order_status": "ACTIVE",
    "payment_session_id": "session_1",
    "cf_order_id": 77,
}


def payment(amount: str = "99.00", **changes: Any) -> Any:
    return parsed((PAYMENT % amount).encode()) | changes


@pytest.mark.parametrize(
    ("text", "paise"),
    [("99", 9_900), ("99.0", 9_900), ("99.10", 9_910), ("0.07", 7), ("99.1000000", 9_910), ("1e3", 100_000), ("0", 0)],
)
def test_amount_is_exact(text: str, paise: int) -> None:
    assert payment_of(payment(text), "cm_1").amount == paise


@pytest.mark.parametrize(
    "text",
    [
        "99.0000001",
        "99.001",
        "-1",
        "-99.00",
        "1e30",
        "1" * 40,
        "1" * 400,
        "1e999999999",
        "true",
        "null",
        '"99"',
        "[99]",
    ],
)
def test_amount_that_nobody_pays_is_refused(text: str) -> None:
    with pytest.raises(GatewayError):
        payment_of(payment(text), "cm_1")


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "1" * 5000, "{"])
def test_text_that_is_no_json_is_no_answer(text: str) -> None:
    with pytest.raises(GatewayUnavailable):
        payment(text)


def test_deep_text_is_no_answer() -> None:
    with pytest.raises(GatewayUnavailable):
        parsed(b"[" * 100_000)


@pytest.mark.parametrize(
    ("status", "expected", "reason"),
    [
        ("SUCCESS", PaymentStatus.SUCCEEDED, ""),
        ("FAILED", PaymentStatus.FAILED, "failed"),
        ("USER_DROPPED", PaymentStatus.FAILED, "user_dropped"),
        ("CANCELLED", PaymentStatus.FAILED, "cancelled"),
        ("VOID", PaymentStatus.FAILED, "void"),
        ("PENDING", PaymentStatus.PENDING, ""),
        ("NOT_ATTEMPTED", PaymentStatus.PENDING, ""),
        ("FLAGGED", PaymentStatus.PENDING, ""),
    ],
)
def test_states_of_payments(status: str, expected: PaymentStatus, reason: str) -> None:
    (found,) = payments_of([payment(payment_status=status, payment_group=None)], "cm_1")
    assert (found.status, found.reason, found.method) == (expected, reason, "")
    assert (found.gateway_order, found.payment_id, found.currency) == ("cm_1", "5114", "INR")


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("SUCCESS", RefundStatus.SUCCEEDED),
        ("PENDING", RefundStatus.PENDING),
        ("ONHOLD", RefundStatus.PENDING),
        ("FAILED", RefundStatus.FAILED),
        ("CANCELLED", RefundStatus.FAILED),
    ],
)
def test_states_of_refunds(status: str, expected: RefundStatus) -> None:
    assert refund_of(REFUND | {"refund_status": status}).status is expected


@pytest.mark.parametrize("name", ["cf_payment_id", "payment_status", "payment_amount", "payment_currency"])
@pytest.mark.parametrize("value", [None, True, "", [], {}])
def test_payment_with_a_wrong_field_is_refused(name: str, value: Any) -> None:
    with pytest.raises(GatewayError):
        payment_of(payment() | {name: value}, "cm_1")


@pytest.mark.parametrize("found", [None, 5, "text", [5], {"a": 1}, [None]])
def test_other_content_is_refused(found: Any) -> None:
    with pytest.raises(GatewayError):
        payments_of(found, "cm_1")
    with pytest.raises(GatewayError):
        refund_of(found)
    with pytest.raises(GatewayError):
        session_of(found, Paise(9_900), "INR")


@pytest.mark.parametrize(
    "change",
    [{"order_amount": 98}, {"order_currency": "USD"}, {"payment_session_id": ""}, {"cf_order_id": None}],
)
def test_session_is_of_the_order_that_was_asked_for(change: dict[str, Any]) -> None:
    found = session_of(ORDER, Paise(9_900), "INR")
    assert (found.session_id, found.reference) == ("session_1", "77")
    with pytest.raises(GatewayError):
        session_of(ORDER | change, Paise(9_900), "INR")
