"""/api/v1/admin/tenants/{tenant_id}/events: examples of events, which operators publish to try receivers."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel

from callmissed.audit.events import Actor, AuditEvent, audit_operation
from callmissed.aws.database import Database
from callmissed.clock import Micros, iso
from callmissed.errors import invalid_request
from callmissed.events.outbox import Event, new_event, publish_operation
from callmissed.events.types import EVENT_TYPES
from callmissed.tenants.tenants import get_tenant
from callmissed.web.actor import OperatorOf
from callmissed.web.dependencies import ClockOf, from_state
from callmissed.web.gateway_route import GatewayRoute
from callmissed.web.schemas import OperatorRequest
from functions.webhooks.error_responses import operator_responses

router = APIRouter(tags=["admin"], route_class=GatewayRoute)


class ExampleEvent(OperatorRequest):
    """The example of an event type, to publish."""

    type: str


class EmittedEvent(BaseModel):
    """An event on its way to the tenant's webhooks."""

    event_id: str
    event: str
    tenant_id: str
    timestamp: str


class Examples:
    """Publishes examples of events on one stage. Raises Unavailable when DynamoDB does not answer."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def publish(self, tenant: str, event_type: str, actor: Actor, now: Micros) -> Event:
        """The published example. Raises ApiError 400 for an unknown type, 404 for an unknown tenant."""
        if event_type not in EVENT_TYPES:
            raise invalid_request(f"'{event_type}' is not an event type.", "type")
        await get_tenant(self._database, tenant, consistent=True)
        kind = EVENT_TYPES[event_type]
        event = new_event(tenant, kind.model_validate(kind.example), now)
        emitted = AuditEvent(tenant, "event.emit", "event", event.id, actor, {"type": event_type})
        await self._database.transact([publish_operation(event), audit_operation(emitted, now)])
        return event


ExamplesOf = Annotated[Examples, from_state("examples")]


@router.post(
    "/api/v1/admin/tenants/{tenant_id}/events",
    summary="Publish an example",
    status_code=202,
    response_model=EmittedEvent,
    responses=operator_responses(),
)
async def emit(
    tenant_id: str, request: ExampleEvent, operator: OperatorOf, examples: ExamplesOf, clock: ClockOf
) -> EmittedEvent:
    """Publish the example of an event type. Receivers can't distinguish it from a real event."""
    event = await examples.publish(tenant_id, request.type, operator(request.reason), clock())
    return EmittedEvent(event_id=event.id, event=event.type, tenant_id=tenant_id, timestamp=iso(event.created))
