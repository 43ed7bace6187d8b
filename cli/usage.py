"""`callmissed usage`."""

import asyncio
from typing import Annotated

import typer

from callmissed.ledger.entries import LedgerEntry
from callmissed.ledger.queries import MOST_ENTRIES, newest_entries
from callmissed.tenancy.tenants import get_tenant
from cli.operation import Session, operation
from cli.rows import CALL_WIDTHS, CALLS, call_row

_WINDOW = 300
"""Newest calls that are looked at again and again: a long call's entry comes after those of calls begun later."""

usage = typer.Typer(name="usage", help="What a tenant's calls used and cost.", no_args_is_help=True)


@operation(usage, "tail")
async def tail(
    session: Session,
    *,
    limit: Annotated[int, typer.Option(min=1, max=MOST_ENTRIES, help="How many calls to begin with.")] = 20,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as calls are settled, until Ctrl-C.")] = False,
    interval: Annotated[float, typer.Option(min=0.2, help="Seconds between two looks.")] = 2.0,
) -> None:
    """Show a tenant's last calls, newest last. With --json each line is an object."""
    await get_tenant(session.database, session.tenant)
    window = max(limit, _WINDOW) if follow else limit
    calls = await _newest(session, window)
    _print(session, calls[-limit:], heading=True)
    while follow:
        await asyncio.sleep(interval)
        seen, calls = {call.entry for call in calls}, await _newest(session, window)
        fresh = [call for call in calls if call.entry not in seen]
        if len(fresh) == window:
            session.output.warn("Calls come faster than they are shown: some are left out.")
        _print(session, fresh, heading=False)


async def _newest(session: Session, limit: int) -> list[LedgerEntry]:
    """The last calls, newest last."""
    found = await newest_entries(session.database, session.tenant, limit=limit, calls_only=True)
    return found[::-1]


def _print(session: Session, calls: list[LedgerEntry], *, heading: bool) -> None:
    session.output.lines(
        [call_row(call, call.usage) for call in calls if call.usage], CALLS, CALL_WIDTHS, heading=heading
    )
