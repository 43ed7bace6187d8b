"""`callmissed usage`."""

import asyncio
from typing import Annotated

import typer

from callmissed.ledger.entries import LedgerEntry
from callmissed.ledger.queries import MAX_ENTRIES, newest_entries
from callmissed.tenants.tenants import get_tenant
from cli.context import CommandContext
from cli.groups import command_group
from cli.rows import CALL_WIDTHS, CALLS, call_row
from cli.stage_command import stage_command

_WINDOW = 300
"""Newest calls that each poll reads again: a long call's entry is written after entries of calls that began later."""

usage = command_group("usage")


@stage_command(usage, "tail")
async def tail(
    context: CommandContext,
    *,
    limit: Annotated[int, typer.Option(min=1, max=MAX_ENTRIES, help="How many calls to begin with.")] = 20,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as calls are settled, until Ctrl-C.")] = False,
    interval: Annotated[float, typer.Option(min=0.2, help="Seconds between two reads.")] = 2.0,
) -> None:
    """Show a tenant's last calls, newest last. With --json each line is an object."""
    await get_tenant(context.database, context.tenant)
    window = max(limit, _WINDOW) if follow else limit
    calls = await _newest(context, window)
    _print(context, calls[-limit:], heading=True)
    while follow:
        await asyncio.sleep(interval)
        seen, calls = {call.entry_id for call in calls}, await _newest(context, window)
        fresh = [call for call in calls if call.entry_id not in seen]
        if len(fresh) == window:
            context.output.warn("Calls come faster than they are shown: some are left out.")
        _print(context, fresh, heading=False)


async def _newest(context: CommandContext, limit: int) -> list[LedgerEntry]:
    """The last calls, newest last."""
    found = await newest_entries(context.database, context.tenant, limit=limit, calls_only=True)
    return found[::-1]


def _print(context: CommandContext, calls: list[LedgerEntry], *, heading: bool) -> None:
    rows = [call_row(call, call.usage) for call in calls if call.usage]
    context.output.lines(rows, CALLS, CALL_WIDTHS, heading=heading)
