"""`callmissed events`."""

from typing import Annotated

import typer

from callmissed.events.types import EventData
from cli.context import CommandContext
from cli.groups import command_group
from cli.option_parsers import event_type
from cli.stage_command import stage_command

_WARNING = "Receivers can't distinguish this event from a real one."

events = command_group("events")


@stage_command(events, "emit", changes=True)
async def emit(
    context: CommandContext,
    *,
    kind: Annotated[
        type[EventData], typer.Argument(parser=event_type, metavar="TYPE", help="Such as message.received.")
    ],
) -> None:
    """Publish the example of an event type for a tenant, to try what receives it."""
    context.output.record(await context.operate_on_tenant("POST", "/events", type=kind.event))
    context.output.warn(_WARNING)
