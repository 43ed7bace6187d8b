"""What Cashfree's answers and callbacks say. Amounts are JSON numbers of rupees, read exactly.

Every function raises GatewayError for content that is not as documented.
"""

import json
import re
from collections.abc import Generator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

from callmissed.money import Paise, parse_rupees
from callmissed.observability import count, get_logger
from functions.billing.payments.gateway import (
    GatewayError,
    GatewayPayment,
    GatewayRefund,
    GatewayUnavailable,
    PaymentSession,
    PaymentStatus,
    RefundStatus,
)

_FAILED_PAYMENTS = frozenset({"FAILED", "USER_DROPPED", "CANCELLED", "VOID"})
_PENDING_PAYMENTS = frozenset({"PENDING", "NOT_ATTEMPTED", "FLAGGED", "INCOMPLETE"})
_FAILED_REFUNDS = frozenset({"FAILED", "CANCELLED"})
_PENDING_REFUNDS = frozenset({"PENDING", "ONHOLD"})
_PAYABLE_ORDERS = frozenset({"ACTIVE", "PAID"})
_CLOSED_ORDERS = frozenset({"EXPIRED", "TERMINATED", "TERMINATION_REQUESTED"})
_LOGGED_STATUS = re.compile(r"[A-Z_]{1,50}")
_MAX_AMOUNT = 10**14
"""Paise. Far above any order's, and far below what DynamoDB's numbers hold."""

_logger = get_logger("payment-gateway")


def parsed(body: bytes) -> Any:
    """The JSON of `body`, numbers with a point as `Decimal`. Raises GatewayUnavailable: garbled text says nothing."""
    try:
        return json.loads(body, parse_float=Decimal, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise GatewayUnavailable("the gateway's answer is not JSON") from error


def session_of(order: Any, amount: Paise, currency: str) -> PaymentSession:
    """The session of an order, which must be over `amount` and can be paid."""
    with readable():
        if (amount_of(order["order_amount"]), order["order_currency"]) != (amount, currency):
            raise GatewayError("the gateway's order has another amount")
        status = text_of(order["order_status"])
        if status in _CLOSED_ORDERS:
            raise GatewayError("the gateway's order can't be paid any more")
        if status not in _PAYABLE_ORDERS:
            report_unknown_status("order", status)
        return PaymentSession(text_of(order["payment_session_id"]), text_of(order["cf_order_id"]))


def payments_of(found: Any, gateway_order: str) -> list[GatewayPayment]:
    """The payments of an order."""
    with readable():
        return [payment_of(payment, gateway_order) for payment in found]


def payment_of(payment: Any, gateway_order: str) -> GatewayPayment:
    """One payment of an order, as answers and callbacks show it. Only of one that succeeded amount and currency count:
    an attempt that took no money need not have them.
    """
    with readable():
        status = text_of(payment["payment_status"])
        succeeded = status == "SUCCESS"
        return GatewayPayment(
            gateway_order=gateway_order,
            payment_id=text_of(payment["cf_payment_id"]),
            status=_payment_status(status),
            amount=amount_of(payment["payment_amount"] if succeeded else payment.get("payment_amount") or 0),
            currency=text_of(payment["payment_currency"]) if succeeded else str(payment.get("payment_currency") or ""),
            method=str(payment.get("payment_group") or ""),
            reason=status.lower() if status in _FAILED_PAYMENTS else "",
        )


def refunds_of(found: Any) -> list[GatewayRefund]:
    """The refunds of an order."""
    with readable():
        return [refund_of(refund) for refund in found]


def refund_of(refund: Any) -> GatewayRefund:
    """A refund, as answers and callbacks show it. One that the gateway began by itself may have only its number."""
    with readable():
        return GatewayRefund(
            gateway_order=text_of(refund["order_id"]),
            refund_id=text_of(refund.get("refund_id") or refund["cf_refund_id"]),
            status=_refund_status(text_of(refund["refund_status"])),
            amount=amount_of(refund["refund_amount"]),
            payment_id=str(refund.get("cf_payment_id") or ""),
        )


def report_unknown_status(kind: str, status: str) -> None:
    """Ring for a status that the gateway does not document: it is never taken for a final one."""
    if kind in ("order", "payment"):
        count("PaymentMismatch")
    else:
        count("RefundMismatch")
    shown = status if _LOGGED_STATUS.fullmatch(status) else "unreadable"
    _logger.error("the gateway shows an unknown status", extra={"kind": kind, "status": shown})


@contextmanager
def readable() -> Generator[None]:
    """Raise GatewayError in the place of what a missing or wrong field raises."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise GatewayError(f"the gateway's content can't be read: {type(error).__name__}") from error


def _payment_status(status: str) -> PaymentStatus:
    if status == "SUCCESS":
        return PaymentStatus.SUCCEEDED
    if status in _FAILED_PAYMENTS:
        return PaymentStatus.FAILED
    if status not in _PENDING_PAYMENTS:
        report_unknown_status("payment", status)
    return PaymentStatus.PENDING


def _refund_status(status: str) -> RefundStatus:
    if status == "SUCCESS":
        return RefundStatus.SUCCEEDED
    if status in _FAILED_REFUNDS:
        return RefundStatus.FAILED
    if status not in _PENDING_REFUNDS:
        report_unknown_status("refund", status)
    return RefundStatus.PENDING


def amount_of(amount: Any) -> Paise:
    """An amount, exact. Raises TypeError, ValueError."""
    if isinstance(amount, bool) or not isinstance(amount, int | Decimal):
        raise TypeError("not a number")
    paise = parse_rupees(str(amount))
    if not 0 <= paise <= _MAX_AMOUNT:
        raise ValueError("no amount that anybody pays")
    return paise


def text_of(value: Any) -> str:
    """An id: Cashfree writes some as numbers, and will write all as texts. Raises TypeError."""
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        raise TypeError("not a text")
    return str(value)


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is no number")
