"""`callmissed credits`."""

import secrets
from typing import Annotated

import typer

from callmissed.ledger.queries import MAX_ENTRIES, balance, newest_entries
from callmissed.money import MicroCredits, show
from callmissed.tenants.tenants import get_tenant
from cli.context import CommandContext
from cli.groups import command_group
from cli.option_parsers import credit_amount, signed_amount
from cli.rows import ENTRIES, balance_row, entry_row
from cli.stage_command import stage_command

credits = command_group("credits")


@stage_command(credits, "grant", changes=True)
async def grant_credits(
    context: CommandContext,
    *,
    amount: Annotated[int, typer.Argument(parser=credit_amount, metavar="CREDITS", help="How many, such as 12.5.")],
    operation_id: Annotated[
        str | None, typer.Option(help="Name of this grant: repeated under the same name it grants nothing more.")
    ] = None,
    description: Annotated[str, typer.Option(help="What the entry says.")] = "",
) -> None:
    """Add credits to a tenant's wallet."""
    if amount == 0:
        raise typer.BadParameter("a grant adds more than nothing")
    name = operation_id or f"cli-{secrets.token_hex(8)}"
    asked = {"credits": show(MicroCredits(amount)), "operation_id": name, "description": description}
    granted = await context.operate_on_tenant("POST", "/credits", **asked)
    if not granted["granted"]:
        context.output.warn(f"The operation {name} was carried out before; nothing was added now.")
    context.output.record(granted)


@stage_command(credits, "adjust", changes=True)
async def adjust_credits(
    context: CommandContext,
    *,
    amount: Annotated[
        int,
        typer.Option("--credits", parser=signed_amount, metavar="CREDITS", help="How many, such as 12.5 or -12.5."),
    ],
    operation_id: Annotated[
        str | None, typer.Option(help="Name of this adjustment: repeated under the same name it changes nothing more.")
    ] = None,
    description: Annotated[str, typer.Option(help="What the entry says.")] = "",
) -> None:
    """Add credits, or take them back; what is spent already becomes a debt."""
    if amount == 0:
        raise typer.BadParameter("an adjustment adds or takes back more than nothing")
    name = operation_id or f"cli-{secrets.token_hex(8)}"
    asked = {"credits": show(MicroCredits(amount)), "operation_id": name, "description": description}
    adjusted = await context.operate_on_tenant("POST", "/credits/adjust", **asked)
    if not adjusted["adjusted"]:
        context.output.warn(f"The operation {name} was carried out before; nothing was changed now.")
    context.output.record(adjusted)


@stage_command(credits, "balance")
async def show_balance(context: CommandContext) -> None:
    """Show what a tenant has, holds and has spent."""
    context.output.record(balance_row(await balance(context.database, context.tenant, context.clock())))


@stage_command(credits, "entries")
async def list_entries(
    context: CommandContext,
    *,
    limit: Annotated[int, typer.Option(min=1, max=MAX_ENTRIES, help="How many at most.")] = 20,
    before: Annotated[str, typer.Option(help="Id of the last entry of the page before.")] = "",
) -> None:
    """List a tenant's ledger entries, newest first."""
    await get_tenant(context.database, context.tenant)
    entries = await newest_entries(context.database, context.tenant, limit=limit, before=before)
    context.output.rows([entry_row(entry) for entry in entries], ENTRIES)
    if len(entries) == limit:
        context.output.warn(f"There may be more: --before {entries[-1].entry_id}")
