"""`callmissed credits`."""

import secrets
from typing import Annotated

import typer

from callmissed.ledger.grants import grant
from callmissed.ledger.queries import MOST_ENTRIES, balance, newest_entries
from callmissed.money import show
from callmissed.tenancy.tenants import get_tenant
from cli.operation import Session, operation
from cli.rows import ENTRIES, balance_row, entry_row
from cli.values import credits as credits_value

credits = typer.Typer(name="credits", help="A tenant's money.", no_args_is_help=True)


@operation(credits, "grant")
async def grant_credits(
    session: Session,
    *,
    amount: Annotated[int, typer.Argument(parser=credits_value, metavar="CREDITS", help="How many, such as 12.5.")],
    operation_id: Annotated[
        str | None, typer.Option(help="Name of this grant: repeated under the same name it grants nothing more.")
    ] = None,
    description: Annotated[str, typer.Option(help="What the entry says.")] = "",
) -> None:
    """Add credits to a tenant's wallet."""
    if amount == 0:
        raise typer.BadParameter("a grant adds more than nothing")
    name = operation_id or f"cli-{secrets.token_hex(8)}"
    granted = await grant(
        session.database,
        tenant=session.tenant,
        amount=amount,
        operation_id=name,
        now=session.clock(),
        description=description,
    )
    if not granted:
        session.output.warn(f"The operation {name} was carried out before; nothing was added now.")
    session.output.record(
        {
            "tenant_id": session.tenant,
            "operation_id": name,
            "granted": granted,
            "amount": show(amount if granted else 0),
            "available": show((await balance(session.database, session.tenant, session.clock())).available),
        }
    )


@operation(credits, "balance")
async def show_balance(session: Session) -> None:
    """Show what a tenant has, holds and has spent."""
    session.output.record(balance_row(await balance(session.database, session.tenant, session.clock())))


@operation(credits, "entries")
async def list_entries(
    session: Session,
    *,
    limit: Annotated[int, typer.Option(min=1, max=MOST_ENTRIES, help="How many at most.")] = 20,
    before: Annotated[str, typer.Option(help="Id of the last entry of the page before.")] = "",
) -> None:
    """List a tenant's ledger entries, newest first."""
    await get_tenant(session.database, session.tenant)
    entries = await newest_entries(session.database, session.tenant, limit=limit, before=before)
    session.output.rows([entry_row(entry) for entry in entries], ENTRIES)
    if len(entries) == limit:
        session.output.warn(f"There may be more: --before {entries[-1].entry}")
