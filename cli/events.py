"""`callmissed events`."""

from typing import Annotated

import typer

from callmissed.clock import iso
from callmissed.events.outbox import new_event, publish
from callmissed.events.types import EventData
from callmissed.tenancy.tenants import get_tenant
from cli.operation import Session, operation
from cli.values import event_type

_WARNING = "Whoever receives this event can't tell it from a real one."

events = typer.Typer(name="events", help="What webhooks are told.", no_args_is_help=True)


@operation(events, "emit")
async def emit(
    session: Session,
    *,
    kind: Annotated[
        type[EventData], typer.Argument(parser=event_type, metavar="TYPE", help="Such as message.received.")
    ],
) -> None:
    """Publish the example of an event type for a tenant, to try what receives it."""
    tenant = (await get_tenant(session.database, session.tenant)).tenant_id
    event = new_event(tenant, kind.model_validate(kind.example), session.clock())
    await publish(session.database, event)
    shown = {"event_id": event.id, "event": event.type, "tenant_id": tenant, "timestamp": iso(event.created)}
    session.output.record(shown)
    session.output.warn(_WARNING)
