"""`callmissed usage`."""

from typing import Annotated

import typer

from callmissed.ledger.queries import MAX_ENTRIES, newest_entries
from callmissed.tenants.tenants import get_tenant
from cli.context import CommandContext
from cli.groups import command_group
from cli.output import Row
from cli.rows import CALL_WIDTHS, CALLS, call_row
from cli.stage_command import stage_command
from cli.tail import Follow, Interval, Tail

usage = command_group("usage")


@stage_command(usage, "tail")
async def tail(
    context: CommandContext,
    *,
    limit: Annotated[int, typer.Option(min=1, max=MAX_ENTRIES, help="How many calls to begin with.")] = 20,
    follow: Follow = False,
    interval: Interval = 2.0,
) -> None:
    """Show a tenant's last calls, newest last. With --json each line is an object."""
    await get_tenant(context.database, context.tenant)

    async def newest(count: int) -> list[Row]:
        found = await newest_entries(context.database, context.tenant, limit=count, calls_only=True)
        return [call_row(call, call.usage) for call in reversed(found) if call.usage]

    await Tail(newest, context.output, CALLS, CALL_WIDTHS).show(limit, interval if follow else None)
