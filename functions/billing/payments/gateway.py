"""The port of a payment gateway: what the platform asks of Cashfree, and could ask of Razorpay or Stripe.

    GatewayError            an answer that can't be used
    ├─ GatewayRefused       the gateway refused, and did nothing
    └─ GatewayUnavailable   no answer, or one of its own failures: it may have done what was asked

Amounts are exact: a gateway's JSON is read with `Decimal`.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from callmissed.clock import Micros
from callmissed.money import Paise
from callmissed.observability import LoggableError


class GatewayError(LoggableError):
    """What was asked failed, or the answer can't be used. The message has no text of the gateway's."""


class GatewayRefused(GatewayError):
    """The gateway refused what was asked, and did not do it."""


class GatewayUnavailable(GatewayError):
    """The gateway did not answer, or failed. What was asked may have been done."""


class PaymentStatus(StrEnum):
    """State of a payment at the gateway. A PENDING one is not decided."""

    SUCCEEDED = "succeeded"
    PENDING = "pending"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Customer:
    """Who pays, as gateways want to know it. What is not known is empty."""

    customer_id: str
    name: str
    email: str
    phone: str


@dataclass(frozen=True, slots=True)
class PaymentSession:
    """Where a browser pays: the gateway's session and its own id of the order."""

    session_id: str
    reference: str


@dataclass(frozen=True, slots=True)
class GatewayPayment:
    """A payment of `gateway_order` at the gateway. `reason` says in a word why it failed."""

    gateway_order: str
    payment_id: str
    status: PaymentStatus
    amount: Paise
    currency: str
    method: str = ""
    reason: str = ""


class RefundStatus(StrEnum):
    """State of a refund at the gateway. A PENDING one is not decided, and a FAILED one paid nothing back."""

    SUCCEEDED = "succeeded"
    PENDING = "pending"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class GatewayRefund:
    """A refund of `payment_id` at the gateway: under the id that we chose, or one that we did not begin."""

    gateway_order: str
    refund_id: str
    status: RefundStatus
    amount: Paise
    payment_id: str = ""


class PaymentGateway(Protocol):
    """A payment gateway. Methods raise GatewayError."""

    @property
    def environment(self) -> str:
        """`production` or `sandbox`."""
        ...

    async def create_order(
        self, gateway_order: str, amount: Paise, currency: str, customer: Customer, *, expires: Micros, return_url: str
    ) -> PaymentSession:
        """A session in which `amount` is paid. A repeat under the same id returns the same session."""
        ...

    async def payments(self, gateway_order: str) -> list[GatewayPayment]:
        """All payments of the order, none for an order that the gateway does not know."""
        ...

    async def refund(
        self, gateway_order: str, refund_id: str, amount: Paise, note: str, *, refused: int = 0
    ) -> GatewayRefund:
        """Pay back. A repeat under the same `refund_id` returns the same refund.

        One that was `refused` so many times is decided anew.
        """
        ...

    async def find_refund(self, gateway_order: str, refund_id: str) -> GatewayRefund | None:
        """The refund as it is now; None for one that the gateway does not know."""
        ...

    async def refunds(self, gateway_order: str) -> list[GatewayRefund]:
        """All refunds of the order, also those that we did not begin; none for an order that it does not know."""
        ...
