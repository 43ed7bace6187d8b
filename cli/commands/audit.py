"""`callmissed audit`."""

from typing import Annotated

import typer

from callmissed.audit.events import RETENTION_DAYS
from callmissed.tenants.tenants import get_tenant
from cli.context import CommandContext
from cli.groups import command_group
from cli.output import Row
from cli.rows import AUDIT_EVENTS, AUDIT_WIDTHS, audit_row
from cli.stage_command import stage_command
from cli.tail import Follow, Interval, Tail
from functions.auth.audit.service import AuditLog, EventFilter

MAX_EVENTS = 500

audit = command_group("audit")


@stage_command(audit, "tail")
async def tail(
    context: CommandContext,
    *,
    limit: Annotated[int, typer.Option(min=1, max=MAX_EVENTS, help="How many events to begin with.")] = 20,
    follow: Follow = False,
    interval: Interval = 2.0,
) -> None:
    """Show who changed what in a tenant, newest last. With --json each line is an object."""
    await get_tenant(context.database, context.tenant)
    log, wanted = AuditLog(context.database), EventFilter(RETENTION_DAYS)

    async def newest(count: int) -> list[Row]:
        page = await log.page(context.tenant, wanted, context.clock(), limit=count)
        return [audit_row(event) for event in reversed(page.events)]

    await Tail(newest, context.output, AUDIT_EVENTS, AUDIT_WIDTHS).show(limit, interval if follow else None)
