"""API models of purchases; docs/api/openapi.json is made from them."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, Field

from callmissed.clock import iso
from callmissed.money import rupees
from callmissed.web.schemas import RequestModel
from functions.billing.payments.records import Order, OrderStatus

OrderId = Annotated[str, Field(min_length=1, max_length=100)]


class NewOrder(RequestModel):
    """What to buy: a plan, or credits."""

    type: Literal["plan_upgrade", "credit_topup"] = "plan_upgrade"
    plan: Literal["starter", "pro", "enterprise"] | None = None
    credits: int = Field(default=0, ge=0, le=100_000, description="Whole credits; a pack's count has its price.")
    client: Literal["web", "console"] = "web"


class OrderReference(RequestModel):
    """An order of the tenant."""

    order_id: OrderId
    client: Literal["web", "console"] = "web"


class OrderOut(BaseModel):
    """An order with the session in which a browser pays it. `env` is the mode of the gateway's SDK."""

    order_id: str
    cf_order_id: str
    payment_session_id: str
    amount: float
    currency: str
    env: Literal["production", "sandbox"]

    @classmethod
    def of(cls, order: Order, environment: str) -> Self:
        """The order."""
        return cls(
            order_id=order.order_id,
            cf_order_id=order.session.reference,
            payment_session_id=order.session.session_id,
            amount=rupees(order.amount),
            currency=order.currency,
            env="production" if environment == "production" else "sandbox",
        )


class OrderState(BaseModel):
    """State of an order, and what it is for: a plan, or `topup_<credits>`."""

    status: str
    plan: str

    @classmethod
    def of(cls, order: Order) -> Self:
        """The order."""
        failed = order.status is OrderStatus.FAILED  # another payment may still succeed
        return cls(status=str(OrderStatus.PENDING if failed else order.status), plan=order.plan_to)


class PaymentRow(BaseModel):
    """An order in the history."""

    order_id: str
    amount: float
    currency: str
    status: str
    plan_from: str
    plan_to: str
    payment_method: str | None
    created_at: str

    @classmethod
    def of(cls, order: Order) -> Self:
        """The order."""
        return cls(
            order_id=order.order_id,
            amount=rupees(order.amount),
            currency=order.currency,
            status=str(order.status),
            plan_from=order.plan_from,
            plan_to=order.plan_to,
            payment_method=order.payment_method or None,
            created_at=iso(order.created),
        )
