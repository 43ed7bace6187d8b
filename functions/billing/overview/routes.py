"""/api/v1/tenants/me/billing: plan and use of the tenant of the signed-in person."""

from fastapi import APIRouter

from callmissed.web.caller import PersonOf
from callmissed.web.dependencies import ClockOf
from callmissed.web.gateway_route import GatewayRoute
from functions.billing.credits.routes import CreditsOf
from functions.billing.error_responses import ERRORS
from functions.billing.overview.schemas import BillingOut
from functions.billing.subscriptions.routes import SubscriptionsOf

router = APIRouter(prefix="/api/v1/tenants/me", tags=["tenant"], route_class=GatewayRoute)


@router.get("/billing", summary="Get plan and usage", response_model=BillingOut, responses=ERRORS.session(404))
async def billing(person: PersonOf, credits: CreditsOf, subscriptions: SubscriptionsOf, clock: ClockOf) -> BillingOut:
    """The plan with its period, what was used this month and will be at the same pace, and the limits of every plan."""
    now, tenant = clock(), person.tenant
    subscription = await subscriptions.records.get(tenant)
    return BillingOut.of(await credits.tenant(tenant), await credits.balance(tenant, now), subscription, now)
