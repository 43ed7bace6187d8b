"""/api/v1/admin/tenants/{tenant_id}: what operators change of a tenant's people, and whether the tenant is served."""

from fastapi import APIRouter

from callmissed.web.actor import OperatorOf
from callmissed.web.dependencies import ClockOf
from callmissed.web.gateway_route import GatewayRoute
from callmissed.web.idempotency import OperationOf
from callmissed.web.schemas import OperatorRequest
from functions.auth.admin.schemas import InvitedUser, TenantRow, UserRow
from functions.auth.error_responses import ERRORS
from functions.auth.team.routes import TeamOf
from functions.auth.tenant.routes import SuspensionsOf, TenantsOf

router = APIRouter(prefix="/api/v1/admin/tenants/{tenant_id}", tags=["admin"], route_class=GatewayRoute)


@router.post("/suspend", summary="Suspend a tenant", response_model=TenantRow, responses=ERRORS.operator(409))
async def suspend(
    tenant_id: str, request: OperatorRequest, operator: OperatorOf, suspensions: SuspensionsOf, clock: ClockOf
) -> TenantRow:
    """Stop people, keys, calls and webhooks, with the next call. A repeat completes what was interrupted."""
    return TenantRow.of(await suspensions.suspend(tenant_id, operator(request.reason), clock()))


@router.post("/reactivate", summary="Reactivate a tenant", response_model=TenantRow, responses=ERRORS.operator(409))
async def reactivate(
    tenant_id: str, request: OperatorRequest, operator: OperatorOf, suspensions: SuspensionsOf, clock: ClockOf
) -> TenantRow:
    """Start a suspended or deactivated tenant again. Keys that were active work again."""
    return TenantRow.of(await suspensions.restore(tenant_id, operator(request.reason), clock()))


@router.post(
    "/users",
    summary="Invite a person of a tenant",
    status_code=201,
    response_model=UserRow,
    responses=ERRORS.operator(409, 429),
)
async def invite(
    tenant_id: str,
    user: InvitedUser,
    operator: OperatorOf,
    team: TeamOf,
    tenants: TenantsOf,
    clock: ClockOf,
    operation: OperationOf,
) -> UserRow:
    """Add a person, who gets a mail. The first person of a tenant becomes its owner."""
    actor, now = operator(user.reason), clock()
    if (await tenants.get(tenant_id)).owner:
        return UserRow.of(await team.invite(tenant_id, user.invitation, actor, now, operation))
    return UserRow.of(await team.appoint_owner(tenant_id, user.invitation, actor, now))


@router.post(
    "/users/{user_id}/deactivate",
    summary="Deactivate a person of a tenant",
    response_model=UserRow,
    responses=ERRORS.operator(409),
)
async def deactivate_user(
    tenant_id: str, user_id: str, request: OperatorRequest, operator: OperatorOf, team: TeamOf, clock: ClockOf
) -> UserRow:
    """Keep a person from signing in, and end all sessions. The owner can't be deactivated."""
    actor = operator(request.reason)
    return UserRow.of(await team.change(tenant_id, user_id, {"is_active": False}, actor, clock()))
