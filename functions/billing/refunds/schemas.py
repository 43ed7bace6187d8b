"""API models of refunds; docs/api/openapi.json is made from them."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, Field

from callmissed.money import show, show_rupees
from callmissed.web.schemas import OperatorRequest
from functions.billing.payments.records import Order
from functions.billing.payments.refund_records import Refund

_RUPEES = r"^[0-9]{1,9}(\.[0-9]{1,2})?$"


class NewRefund(OperatorRequest):
    """A refund to make, once for each `refund_id` of an order; by default of all that is left."""

    refund_id: str = Field(pattern=r"^[A-Za-z0-9._:-]{1,100}$", description="Id of this refund, of your choice.")
    amount: Annotated[str, Field(pattern=_RUPEES, description="Rupees, exact.", examples=["49.50"])] | None = None


class RefundRow(BaseModel):
    """A refund and what became of its order. `refunded` is what goes back in all."""

    order_id: str
    refund_id: str
    status: Literal["pending", "succeeded", "failed"]
    amount: str
    credits: str
    order_status: str
    refunded: str

    @classmethod
    def of(cls, refund: Refund, order: Order) -> Self:
        """The refund."""
        return cls(
            order_id=refund.order_id,
            refund_id=refund.refund_id,
            status=refund.state.value,
            amount=show_rupees(refund.amount),
            credits=show(refund.credits),
            order_status=str(order.status),
            refunded=show_rupees(order.refunded),
        )
