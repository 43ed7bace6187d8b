"""/api/v1/admin/payments: refunds by operators. API Gateway checks who they are, and whether they may."""

from typing import Annotated

from fastapi import APIRouter

from callmissed.money import parse_rupees
from callmissed.web.actor import OperatorOf
from callmissed.web.dependencies import from_state
from callmissed.web.gateway_route import GatewayRoute
from functions.billing.error_responses import ERRORS
from functions.billing.refunds.operators import OperatorRefunds
from functions.billing.refunds.schemas import NewRefund, RefundRow

router = APIRouter(prefix="/api/v1/admin/payments", tags=["admin"], route_class=GatewayRoute)

OperatorRefundsOf = Annotated[OperatorRefunds, from_state("operator_refunds")]


@router.post("/{order_id}/refund", summary="Refund an order", response_model=RefundRow, responses=ERRORS.operator(409))
async def refund(order_id: str, new: NewRefund, operator: OperatorOf, refunds: OperatorRefundsOf) -> RefundRow:
    """Pay an order back, in full or in part; its credits are taken back first. A repeat shows what became of it."""
    amount = None if new.amount is None else parse_rupees(new.amount)
    return RefundRow.of(*await refunds.refund(order_id, new.refund_id, amount, operator(new.reason)))
