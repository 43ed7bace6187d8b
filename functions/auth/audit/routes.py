"""/api/v1/audit/events: who changed what in a tenant."""

from typing import Annotated

from fastapi import APIRouter, Query

from callmissed.web.caller import PersonOf
from callmissed.web.dependencies import from_state
from callmissed.web.gateway_route import GatewayRoute
from functions.auth.audit.schemas import AuditEventOut
from functions.auth.audit.service import AuditLog
from functions.auth.error_responses import session_responses

router = APIRouter(prefix="/api/v1/audit/events", tags=["audit"], route_class=GatewayRoute)

AuditLogOf = Annotated[AuditLog, from_state("audit_log")]


@router.get("", summary="List audit events", response_model=list[AuditEventOut], responses=session_responses(422))
async def list_events(
    person: PersonOf, audit_log: AuditLogOf, limit: Annotated[int, Query(ge=1, le=500)] = 100
) -> list[AuditEventOut]:
    """The newest events first."""
    return [AuditEventOut.of(event) for event in await audit_log.newest(person.tenant, limit)]
