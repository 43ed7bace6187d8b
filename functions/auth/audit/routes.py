"""/api/v1/audit/events: who changed what in a tenant."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from callmissed.audit.events import RETENTION_DAYS
from callmissed.clock import iso
from callmissed.web.caller import PersonOf
from callmissed.web.dependencies import ClockOf, from_state
from callmissed.web.gateway_route import GatewayRoute
from functions.auth.audit.csv_export import export
from functions.auth.audit.schemas import AuditEventOut
from functions.auth.audit.service import MAX_OFFSET, AuditLog, EventFilter
from functions.auth.error_responses import ERRORS

router = APIRouter(tags=["audit"], route_class=GatewayRoute)
_PATH = "/api/v1/audit/events"
_TRUNCATED = {"X-Truncated": "true"}

AuditLogOf = Annotated[AuditLog, from_state("audit_log")]


def _filter(
    days: Annotated[int, Query(ge=1, le=RETENTION_DAYS, description="Only of the last days.")] = 30,
    action: Annotated[str | None, Query(max_length=100, description="Only this action.")] = None,
    resource_type: Annotated[str | None, Query(max_length=50, description="Only of this kind of resource.")] = None,
) -> EventFilter:
    return EventFilter(days, action, resource_type)


FilterOf = Annotated[EventFilter, Depends(_filter)]


@router.get(_PATH, summary="List audit events", response_model=list[AuditEventOut], responses=ERRORS.session(422))
async def list_events(
    person: PersonOf,
    audit_log: AuditLogOf,
    wanted: FilterOf,
    clock: ClockOf,
    response: Response,
    limit: Annotated[int, Query(ge=1, le=500, description="How many at most.")] = 100,
    offset: Annotated[int, Query(ge=0, le=MAX_OFFSET, description="How many of the newest are left out.")] = 0,
) -> list[AuditEventOut]:
    """The newest events first.

    A request reads the newest 100,500 events of its days. Where a filter finds too few among them, `X-Truncated: true`
    says that there may be older ones.
    """
    page = await audit_log.page(person.tenant, wanted, clock(), limit=limit, offset=offset)
    response.headers.update(_TRUNCATED if page.truncated else {})
    return [AuditEventOut.of(event) for event in page.events]


@router.get(
    f"{_PATH}.csv",
    summary="Export audit events",
    response_class=Response,
    responses=ERRORS.session(422) | {200: {"content": {"text/csv": {"schema": {"type": "string"}}}}},
)
async def export_events(person: PersonOf, audit_log: AuditLogOf, wanted: FilterOf, clock: ClockOf) -> Response:
    """The newest events first, as a spreadsheet; 5,000 at most, fewer if they are large.

    `X-Truncated: true` says that there are more.
    """
    now = clock()
    exported = await export(audit_log.read(person.tenant, wanted, now))
    name = f"audit-{iso(now)[:10].replace('-', '')}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', **(_TRUNCATED if exported.truncated else {})}
    return Response(exported.text, media_type="text/csv", headers=headers)


@router.get(
    f"{_PATH}/{{event_id}}",
    summary="Get an audit event",
    response_model=AuditEventOut,
    responses=ERRORS.session(404),
)
async def get_event(event_id: str, person: PersonOf, audit_log: AuditLogOf, clock: ClockOf) -> AuditEventOut:
    """One event of the last 90 days."""
    return AuditEventOut.of(await audit_log.get(person.tenant, event_id, clock()))
