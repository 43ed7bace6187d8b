"""`callmissed events`."""

from typing import Annotated

import typer

from callmissed.clock import iso
from callmissed.events.outbox import new_event, publish
from callmissed.events.types import EventData
from callmissed.tenants.tenants import get_tenant
from cli.context import CommandContext
from cli.groups import command_group
from cli.option_parsers import event_type
from cli.stage_command import stage_command

_WARNING = "Receivers can't distinguish this event from a real one."

events = command_group("events")


@stage_command(events, "emit")
async def emit(
    context: CommandContext,
    *,
    kind: Annotated[
        type[EventData], typer.Argument(parser=event_type, metavar="TYPE", help="Such as message.received.")
    ],
) -> None:
    """Publish the example of an event type for a tenant, to try what receives it."""
    tenant = (await get_tenant(context.database, context.tenant)).tenant_id
    event = new_event(tenant, kind.model_validate(kind.example), context.clock())
    await publish(context.database, event)
    shown = {"event_id": event.id, "event": event.type, "tenant_id": tenant, "timestamp": iso(event.created)}
    context.output.record(shown)
    context.output.warn(_WARNING)
