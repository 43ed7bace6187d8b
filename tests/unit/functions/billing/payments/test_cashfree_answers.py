"""Answers and callbacks of the gateway: amounts are exact, and what can't be read grants nothing."""

from typing import Any

import pytest

from callmissed.money import Paise
from functions.billing.payments.cashfree_answers import parsed, payment_of, payments_of, refund_of, session_of
from functions.billing.payments.gateway import GatewayError, GatewayUnavailable, PaymentStatus, RefundStatus
from tests.support.logs import metrics_of

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
        ("INCOMPLETE", PaymentStatus.PENDING, ""),
        ("SETTLED", PaymentStatus.PENDING, ""),
        ("success", PaymentStatus.PENDING, ""),
        ("SUCCESS\nSUCCESS", PaymentStatus.PENDING, ""),
    ],
)
def test_states_of_payments(
    capsys: pytest.CaptureFixture[str], status: str, expected: PaymentStatus, reason: str
) -> None:
    (found,) = payments_of([payment(payment_status=status, payment_group=None)], "cm_1")
    assert (found.status, found.reason, found.method) == (expected, reason, "")
    assert (found.gateway_order, found.payment_id, found.currency) == ("cm_1", "5114", "INR")
    is_unknown = status in ("SETTLED", "success", "SUCCESS\nSUCCESS")
    assert metrics_of(capsys.readouterr().out, "PaymentMismatch") == [1] * is_unknown


@pytest.mark.parametrize("missing", ["payment_amount", "payment_currency", "payment_group"])
@pytest.mark.parametrize("status", ["NOT_ATTEMPTED", "USER_DROPPED", "PENDING"])
def test_attempt_that_took_no_money_does_not_hide_the_one_that_did(missing: str, status: str) -> None:
    attempt = {name: value for name, value in payment(payment_status=status).items() if name != missing}
    empty = payment(payment_status=status) | {missing: None}

    found = payments_of([attempt, empty, payment()], "cm_1")

    assert [each.status for each in found][2] is PaymentStatus.SUCCEEDED
    assert {each.amount for each in found[:2]} == {0 if missing == "payment_amount" else 9_900}


@pytest.mark.parametrize("missing", ["payment_amount", "payment_currency"])
def test_success_without_amount_or_currency_can_not_be_read(missing: str) -> None:
    for content in (payment() | {missing: None}, {n: v for n, v in payment().items() if n != missing}):
        with pytest.raises(GatewayError):
            payment_of(content, "cm_1")


def test_payment_as_the_documentation_shows_it() -> None:
    """An answer: a UPI payment with everything that comes along."""
    text = """[{"auth_id": null, "authorization": null, "bank_reference": "403900001111", "cf_payment_id": "12376123",
      "entity": "payment", "error_details": null, "is_captured": true, "order_amount": 99.00, "order_id": "cm_1",
      "payment_amount": 99.00, "payment_completion_time": "2026-11-25T18:05:51+05:30", "payment_currency": "INR",
      "payment_gateway_details": {"gateway_name": "CASHFREE"}, "payment_group": "upi_credit_card",
      "payment_message": "00::Transaction success", "payment_offers": null, "payment_status": "SUCCESS",
      "payment_method": {"upi": {"channel": "qrcode", "upi_id": "ada@upi", "upi_instrument": "UPI_CREDIT_CARD"}},
      "payment_time": "2026-11-25T18:04:55+05:30", "international_payment": {"international": false},
      "payment_surcharge": {"payment_surcharge_service_charge": 0.36, "payment_surcharge_service_tax": 0.06}}]"""
    (found,) = payments_of(parsed(text.encode()), "cm_1")
    assert (found.payment_id, found.amount, found.method) == ("12376123", 9_900, "upi_credit_card")


@pytest.mark.parametrize(
    "ids", [{"cf_refund_id": "1553", "cf_payment_id": "918"}, {"cf_refund_id": 1553, "cf_payment_id": 918}]
)
def test_refund_as_the_documentation_shows_it(ids: dict[str, Any]) -> None:
    """Ids are texts in answers, and numbers in callbacks."""
    text = """{"refund_id": "op1", "order_id": "cm_1", "entity": "refund", "refund_amount": 100.81,
      "refund_currency": "INR", "refund_note": "note", "refund_status": "ONHOLD", "refund_type": "MERCHANT_INITIATED",
      "refund_splits": [], "status_description": "In Progress", "refund_arn": null, "metadata": null,
      "refund_speed": {"requested": "STANDARD", "accepted": "STANDARD", "processed": null, "message": null},
      "created_at": "2026-11-25T08:57:52+05:30", "processed_at": null, "refund_charge": 0, "refund_mode": null}"""
    found = refund_of(parsed(text.encode()) | ids)
    assert (found.refund_id, found.payment_id, found.status, found.amount) == (
        "op1",
        "918",
        RefundStatus.PENDING,
        10_081,
    )
    assert refund_of(parsed(text.encode()) | ids | {"refund_id": None}).refund_id == "1553"


@pytest.mark.parametrize("status", ["ACTIVE", "PAID", "REVIEWED"])
def test_session_of_an_order_that_may_be_paid(capsys: pytest.CaptureFixture[str], status: str) -> None:
    session = session_of(ORDER | {"order_status": status}, Paise(9_900), "INR")
    assert (session.session_id, session.reference) == ("session_1", "77")
    assert metrics_of(capsys.readouterr().out, "PaymentMismatch") == [1] * (status == "REVIEWED")


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
