"""What people and operators change of a tenant's plan. API Gateway checks who they are, and whether they may."""

from typing import Annotated

from fastapi import APIRouter

from callmissed.clock import micros_at
from callmissed.web.actor import ActorOf, OperatorOf
from callmissed.web.caller import PersonOf
from callmissed.web.dependencies import ClockOf, from_state
from callmissed.web.gateway_route import GatewayRoute
from functions.billing.error_responses import ERRORS
from functions.billing.subscriptions.schemas import Downgrade, GivenPlan, SubscriptionOut
from functions.billing.subscriptions.service import PlanSubscriptions

router = APIRouter(route_class=GatewayRoute)

SubscriptionsOf = Annotated[PlanSubscriptions, from_state("subscriptions")]


@router.post(
    "/api/v1/payments/downgrade",
    tags=["payments"],
    summary="Schedule a lower plan",
    response_model=SubscriptionOut,
    responses=ERRORS.session(404, changes=True),
)
async def downgrade(
    body: Downgrade, person: PersonOf, actor: ActorOf, subscriptions: SubscriptionsOf, clock: ClockOf
) -> SubscriptionOut:
    """Let a lower plan follow at the end of what is paid. The tenant's own plan takes that back."""
    return SubscriptionOut.of(await subscriptions.schedule(person.tenant, body.plan, actor), clock())


@router.post(
    "/api/v1/admin/tenants/{tenant_id}/plan",
    tags=["admin"],
    summary="Give a tenant a plan",
    response_model=SubscriptionOut,
    responses=ERRORS.operator(),
)
async def give_plan(
    tenant_id: str, body: GivenPlan, operator: OperatorOf, subscriptions: SubscriptionsOf, clock: ClockOf
) -> SubscriptionOut:
    """Put the tenant on a plan, up or down, without end or until a moment. What was bought of another one is lost."""
    until = None if body.until is None else micros_at(body.until)
    return SubscriptionOut.of(await subscriptions.give(tenant_id, body.plan, until, operator(body.reason)), clock())
