"""What the stand-in knows: orders with their payments and refunds. Amounts are JSON numbers of rupees, as Cashfree's.

https://www.cashfree.com/docs/api-reference/payments/latest/overview
"""

import itertools
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import uuid4

from local.fakes.cashfree.limits import INDIA, JsonObject, check_order


class GatewayFaultKind(StrEnum):
    """How the API fails: 503, 429, done but not answered, answered with no JSON, with another amount, late."""

    DOWN = "down"
    LIMITED = "limited"
    LOST = "lost"
    GARBLED = "garbled"
    WRONG_AMOUNT = "wrong_amount"
    SLOW = "slow"


@dataclass(slots=True)
class GatewayFault:
    """The next `times` requests to paths that contain `path` fail so; a slow one takes `seconds`."""

    kind: GatewayFaultKind
    path: str = ""
    times: int = 1
    seconds: float = 10.0


@dataclass(slots=True)
class FakePayment:
    """A try to pay an order."""

    payment_id: str
    order_id: str
    status: str
    amount: float
    currency: str
    group: str = "upi"

    @property
    def json(self) -> JsonObject:
        """As callbacks show it."""
        return {
            "cf_payment_id": self.payment_id,
            "payment_status": self.status,
            "payment_amount": self.amount,
            "payment_currency": self.currency,
            "payment_message": "Simulated",
            "payment_time": now_text(),
            "bank_reference": f"bank{self.payment_id}",
            "auth_id": None,
            "payment_method": {"upi": {"channel": "collect", "upi_id": "buyer@upi"}},
            "payment_group": self.group,
            "international_payment": {"international": False},
            "payment_surcharge": None,
        }

    @property
    def entity(self) -> JsonObject:
        """As answers show it."""
        return {
            **self.json,
            "entity": "payment",
            "order_id": self.order_id,
            "order_amount": self.amount,
            "order_currency": self.currency,
            "payment_completion_time": now_text(),
            "is_captured": self.status == "SUCCESS",
            "error_details": None if self.status == "SUCCESS" else error_details(self.status),
            "authorization": None,
        }


@dataclass(slots=True)
class FakeRefund:
    """Money that goes back. `status` is PENDING, ONHOLD, SUCCESS, CANCELLED or FAILED."""

    refund_id: str
    order_id: str
    payment_id: str
    amount: float
    note: str
    status: str
    reference: str
    kind: str = "MERCHANT_INITIATED"

    @property
    def json(self) -> JsonObject:
        """What answers and callbacks share."""
        done = self.status == "SUCCESS"
        return {
            "refund_id": self.refund_id,
            "order_id": self.order_id,
            "refund_amount": self.amount,
            "refund_currency": "INR",
            "refund_note": self.note,
            "refund_status": self.status,
            "refund_type": self.kind,
            "refund_arn": f"arn{self.reference}" if done else None,
            "status_description": "Simulated",
            "refund_splits": [],
            "metadata": None,
            "created_at": now_text(),
            "processed_at": now_text() if done else None,
        }

    @property
    def entity(self) -> JsonObject:
        """As answers show it: ids are texts."""
        speed = {"requested": "STANDARD", "accepted": "STANDARD", "processed": None, "message": None}
        return {
            **self.json,
            "entity": "refund",
            "cf_refund_id": self.reference,
            "cf_payment_id": self.payment_id,
            "refund_charge": 0,
            "refund_mode": "STANDARD",
            "refund_speed": speed,
        }


@dataclass(slots=True)
class FakeOrder:
    """An order, with the session in which a browser pays it. `refund_status` is how the bank decides its refunds."""

    order_id: str
    amount: float
    currency: str
    customer: JsonObject
    return_url: str
    reference: str
    session_id: str
    expires: str = ""
    status: str = "ACTIVE"
    refund_status: str = ""
    payments: list[FakePayment] = field(default_factory=list[FakePayment])
    refunds: dict[str, FakeRefund] = field(default_factory=dict[str, FakeRefund])

    @property
    def json(self) -> JsonObject:
        """As answers show it."""
        return {
            "cf_order_id": self.reference,
            "order_id": self.order_id,
            "entity": "order",
            "order_amount": self.amount,
            "order_currency": self.currency,
            "order_status": self.status,
            "order_expiry_time": self.expires,
            "order_note": None,
            "order_splits": [],
            "order_tags": None,
            "payment_session_id": self.session_id,
            "customer_details": self.customer,
            "order_meta": {"return_url": self.return_url or None, "notify_url": None, "payment_methods": None},
            "created_at": now_text(),
        }

    @property
    def paid(self) -> float:
        """What was paid, in rupees."""
        return sum(payment.amount for payment in self.payments if payment.status == "SUCCESS")

    @property
    def refunded(self) -> float:
        """What went back, or is about to."""
        return sum(refund.amount for refund in self.refunds.values() if refund.status in ("SUCCESS", "PENDING"))


@dataclass(slots=True)
class CashfreeState:
    """All orders of the stand-in, and its answers by idempotency key. Hold `lock` while reading or changing them."""

    app_id: str
    secret_key: str
    orders: dict[str, FakeOrder] = field(default_factory=dict[str, FakeOrder])
    faults: list[GatewayFault] = field(default_factory=list[GatewayFault])
    answers: dict[str, tuple[JsonObject, int, str]] = field(default_factory=dict[str, tuple[JsonObject, int, str]])
    refund_status: str = "SUCCESS"
    clock: Callable[[], float] = time.time
    lock: Any = field(default_factory=threading.RLock)
    _numbers: Any = field(default_factory=lambda: itertools.count(int(time.time())))
    _latest: int = 0

    def number(self) -> str:
        """A new id of the gateway's own."""
        return str(next(self._numbers))

    def later(self) -> str:
        """Now, or a second after the last time that this said so: what happens later has a later time."""
        self._latest = max(self._latest + 1, int(time.time()))
        return datetime.fromtimestamp(self._latest, INDIA).isoformat()

    def add_order(self, wanted: JsonObject) -> FakeOrder:
        """Add the order that a request asks for. Raises KeyError, TypeError, ValueError for what Cashfree refuses."""
        check_order(wanted, self.clock())
        meta = JsonObject(wanted.get("order_meta") or {})
        order = FakeOrder(
            order_id=str(wanted["order_id"]),
            amount=float(wanted["order_amount"]),
            currency=wanted["order_currency"],
            customer=wanted["customer_details"],
            return_url=meta.get("return_url", ""),
            reference=self.number(),
            session_id=f"session_{uuid4().hex}{uuid4().hex}",
            expires=wanted["order_expiry_time"],
        )
        self.orders[order.order_id] = order
        return order

    def of_session(self, session_id: str) -> FakeOrder | None:
        """The order that is paid in a session."""
        return next((order for order in self.orders.values() if order.session_id == session_id), None)

    def fault_of(self, path: str) -> GatewayFault | None:
        """The fault that a request to `path` meets; it counts."""
        for fault in self.faults:
            if fault.times > 0 and fault.path in path:
                fault.times -= 1
                return fault
        return None


def error_details(status: str) -> JsonObject:
    """Why a payment failed, as Cashfree puts it."""
    return {
        "error_code": "TRANSACTION_DECLINED",
        "error_description": "Simulated",
        "error_reason": status.lower(),
        "error_source": "customer",
    }


def now_text() -> str:
    """Now, as Cashfree writes times."""
    return datetime.now(INDIA).isoformat(timespec="seconds")
