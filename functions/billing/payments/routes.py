"""/api/v1/payments: purchase orders."""

from typing import Annotated

from fastapi import APIRouter, Query

from callmissed.errors import invalid_request
from callmissed.idempotency.operation import derived
from callmissed.plans.plans import Plan
from callmissed.rate_limits import Limit, SlidingWindows
from callmissed.web.actor import ActorOf
from callmissed.web.caller import PersonOf
from callmissed.web.dependencies import ClockOf, from_state
from callmissed.web.gateway_route import GatewayRoute
from callmissed.web.idempotency import OperationOf
from functions.billing.error_responses import ERRORS
from functions.billing.payments.schemas import NewOrder, OrderOut, OrderReference, OrderState, PaymentRow
from functions.billing.payments.service import Buyer, Payments

router = APIRouter(prefix="/api/v1/payments", tags=["payments"], route_class=GatewayRoute)

PaymentsOf = Annotated[Payments, from_state("payments")]
WindowsOf = Annotated[SlidingWindows, from_state("windows")]
_ORDERS = Limit("create-order", 20)
_LOOKS = Limit("verify-order", 20)
_RETRIES = Limit("retry-order", 20)


@router.post(
    "/create-order",
    summary="Order credits or a plan",
    response_model=OrderOut,
    responses=ERRORS.session(502, changes=True),
)
async def create_order(
    new: NewOrder,
    person: PersonOf,
    actor: ActorOf,
    payments: PaymentsOf,
    operation: OperationOf,
    windows: WindowsOf,
    clock: ClockOf,
) -> OrderOut:
    """Order a pack, credits at the custom price, or a plan above the tenant's. Pay in the returned session.

    A tenant may order 20 times a minute.
    """
    environment = payments.environment
    await windows.count(_ORDERS, person.tenant, clock())
    buyer = Buyer(person.tenant, person.user_id, actor, f"cm_{derived(operation.id, 'order')[:16]}")
    if new.type == "plan_upgrade":
        if new.plan is None:
            raise invalid_request("Name the plan to upgrade to.", "plan")
        return OrderOut.of(await payments.order_plan(buyer, Plan(new.plan)), environment)
    return OrderOut.of(await payments.order_credits(buyer, new.credits), environment)


@router.post(
    "/verify", summary="Settle an order", response_model=OrderState, responses=ERRORS.session(404, 502, changes=True)
)
async def verify(
    reference: OrderReference, person: PersonOf, payments: PaymentsOf, windows: WindowsOf, clock: ClockOf
) -> OrderState:
    """Ask the gateway about an unpaid order, and grant what was paid. May be repeated, 20 times a minute."""
    await windows.count(_LOOKS, person.tenant, clock())
    return OrderState.of(await payments.verify(person.tenant, reference.order_id))


@router.post(
    "/retry",
    summary="Pay an order again",
    response_model=OrderOut,
    responses=ERRORS.session(404, 502, changes=True),
)
async def retry(
    reference: OrderReference, person: PersonOf, payments: PaymentsOf, windows: WindowsOf, clock: ClockOf
) -> OrderOut:
    """A session of an unpaid order: the same one while it is younger than 14 minutes, else a new one.

    A tenant may ask 20 times a minute.
    """
    environment = payments.environment
    await windows.count(_RETRIES, person.tenant, clock())
    return OrderOut.of(await payments.retry(person.tenant, reference.order_id), environment)


@router.get("/history", summary="List orders", response_model=list[PaymentRow], responses=ERRORS.session(422))
async def history(
    person: PersonOf, payments: PaymentsOf, limit: Annotated[int, Query(ge=1, le=100)] = 50
) -> list[PaymentRow]:
    """Orders and redeemed coupons, newest first."""
    return [PaymentRow.of(order) for order in await payments.history(person.tenant, limit)]
