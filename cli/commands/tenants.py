"""`callmissed tenants`."""

import secrets
from typing import Annotated

import typer

from callmissed.ledger.queries import balance
from callmissed.money import MicroCredits, show
from callmissed.plans.plans import Plan
from callmissed.tenants.tenants import get_tenant, list_tenants
from cli.context import CommandContext
from cli.errors import CommandError
from cli.groups import command_group
from cli.option_parsers import credit_amount
from cli.rows import TENANTS, balance_row, tenant_row
from cli.stage_command import stage_command

tenants = command_group("tenants")


@stage_command(tenants, "create", of_tenant=False, changes=True)
async def create(
    context: CommandContext,
    *,
    name: Annotated[str, typer.Option(help="What people call the tenant.")],
    plan: Annotated[Plan, typer.Option(help="Its limits and model access.")] = Plan.FREE,
    credits: Annotated[
        int | None, typer.Option(parser=credit_amount, metavar="CREDITS", help="Credits to begin with.")
    ] = None,
) -> None:
    """Create a tenant."""
    amount = show(MicroCredits(credits or 0))
    tenant = await context.operate("POST", "", name=name, plan=str(plan))
    if credits:
        await _first_credits(context, tenant["tenant_id"], amount)
    context.output.record({**tenant, "credits": amount})


@stage_command(tenants, "list", of_tenant=False)
async def list_all(context: CommandContext) -> None:
    """List all tenants, oldest first."""
    records = await list_tenants(context.database)
    context.output.rows([tenant_row(record) for record in records], TENANTS)


@stage_command(tenants, "show")
async def show_one(context: CommandContext) -> None:
    """Show a tenant with its balance."""
    record = await get_tenant(context.database, context.tenant)
    money = await balance(context.database, context.tenant, context.clock())
    context.output.record({**tenant_row(record), **balance_row(money)})


@stage_command(tenants, "suspend", changes=True)
async def suspend(context: CommandContext) -> None:
    """Stop a tenant: its people, keys, calls and webhooks, with the next call."""
    context.output.record(await context.operate_on_tenant("POST", "/suspend"))


@stage_command(tenants, "reactivate", changes=True)
async def reactivate(context: CommandContext) -> None:
    """Start a suspended or deactivated tenant again; keys that were active work again."""
    context.output.record(await context.operate_on_tenant("POST", "/reactivate"))


@stage_command(tenants, "set-plan", changes=True)
async def set_plan(
    context: CommandContext,
    plan: Annotated[Plan, typer.Argument(help="The plan to put the tenant on, up or down.")],
    *,
    until: Annotated[
        str | None, typer.Option(metavar="TIME", help="End, in ISO 8601 with a time zone; without it there is none.")
    ] = None,
) -> None:
    """Put a tenant on a plan: record, wallet, quotas and keys."""
    named = {"until": until} if until else {}
    context.output.record(await context.operate_on_tenant("POST", "/plan", plan=str(plan), **named))


async def _first_credits(context: CommandContext, tenant: str, amount: str) -> None:
    operation_id = f"cli-{secrets.token_hex(8)}"
    try:
        await context.operate("POST", f"/{tenant}/credits", credits=amount, operation_id=operation_id)
    except CommandError as error:
        again = f"callmissed credits grant {amount} --tenant {tenant} --operation-id {operation_id}"
        raise CommandError(f"The tenant {tenant} was created, its credits perhaps not: {error} Try: {again}") from error
