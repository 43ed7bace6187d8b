"""/api/v1/tenants/me: the tenant of the signed-in person."""

from typing import Annotated

from fastapi import APIRouter

from callmissed.web.caller import PersonOf
from callmissed.web.dependencies import ClockOf, from_state
from callmissed.web.gateway_route import GatewayRoute
from functions.auth.dependencies import ActorOf
from functions.auth.error_responses import ERRORS
from functions.auth.tenant.schemas import OnboardingOut, TenantChanges, TenantSettingsOut, changes_of
from functions.auth.tenant.service import Tenants
from functions.auth.tenant.suspension import Suspensions

router = APIRouter(prefix="/api/v1/tenants/me", tags=["tenant"], route_class=GatewayRoute)

TenantsOf = Annotated[Tenants, from_state("tenants")]
SuspensionsOf = Annotated[Suspensions, from_state("suspensions")]


@router.get("", summary="Get the tenant", response_model=TenantSettingsOut, responses=ERRORS.session(404))
async def get_tenant(person: PersonOf, tenants: TenantsOf) -> TenantSettingsOut:
    """Name, plan, status and settings of the tenant."""
    return TenantSettingsOut.of(await tenants.get(person.tenant))


@router.patch(
    "", summary="Change the tenant", response_model=TenantSettingsOut, responses=ERRORS.session(404, changes=True)
)
async def change_tenant(
    body: TenantChanges, person: PersonOf, actor: ActorOf, tenants: TenantsOf, clock: ClockOf
) -> TenantSettingsOut:
    """Change what the body names, and nothing else. `preferences` are replaced as a whole."""
    return TenantSettingsOut.of(await tenants.change(person.tenant, changes_of(body), actor, clock()))


@router.get("/onboarding", summary="Get the first steps", response_model=OnboardingOut, responses=ERRORS.session(404))
async def onboarding(person: PersonOf, tenants: TenantsOf) -> OnboardingOut:
    """Which first steps the tenant has taken."""
    return OnboardingOut.of(await tenants.onboarding(person.tenant))


@router.post(
    "/deactivate",
    summary="Deactivate the tenant",
    response_model=TenantSettingsOut,
    responses=ERRORS.session(404, changes=True),
)
async def deactivate(person: PersonOf, actor: ActorOf, suspensions: SuspensionsOf, clock: ClockOf) -> TenantSettingsOut:
    """Stop people, keys, calls and webhooks, with the next call. Only the owner can sign in, and reactivate.

    A repeat completes what was interrupted.
    """
    return TenantSettingsOut.of(await suspensions.deactivate(person.tenant, actor, clock()))


@router.post(
    "/reactivate",
    summary="Reactivate the tenant",
    response_model=TenantSettingsOut,
    responses=ERRORS.session(404, changes=True),
)
async def reactivate(person: PersonOf, actor: ActorOf, suspensions: SuspensionsOf, clock: ClockOf) -> TenantSettingsOut:
    """Undo a deactivation. Keys that were active work again, and webhooks get what came meanwhile."""
    return TenantSettingsOut.of(await suspensions.reactivate(person.tenant, actor, clock()))
