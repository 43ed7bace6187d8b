"""`callmissed tenants`."""

import secrets
from typing import Annotated

import typer

from callmissed.aws.dynamodb import DynamoError
from callmissed.clock import Micros
from callmissed.ledger.grants import grant
from callmissed.ledger.queries import balance
from callmissed.money import MicroCredits, show
from callmissed.plans.plans import Plan
from callmissed.tenants.tenants import create_tenant, get_tenant, list_tenants
from cli.context import CommandContext
from cli.errors import CommandError, explain
from cli.groups import command_group
from cli.option_parsers import credit_amount
from cli.rows import TENANTS, balance_row, tenant_row
from cli.stage_command import stage_command
from functions.auth.tenant.suspension import Suspensions

tenants = command_group("tenants")


@stage_command(tenants, "create", of_tenant=False)
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
    now = context.clock()
    record = await create_tenant(context.database, name=name, plan=plan, now=now)
    if credits:
        await _first_credits(context, record.tenant_id, MicroCredits(credits), now)
    context.output.record({**tenant_row(record), "credits": show(MicroCredits(credits or 0))})


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


Reason = Annotated[str, typer.Option(help="Why, for the audit log.")]


@stage_command(tenants, "suspend")
async def suspend(context: CommandContext, *, reason: Reason) -> None:
    """Stop a tenant: its people, keys, calls and webhooks, with the next call."""
    suspensions = Suspensions(context.database)
    record = await suspensions.suspend(context.tenant, reason, context.operator, context.clock())
    context.output.record(tenant_row(record))


@stage_command(tenants, "reactivate")
async def reactivate(context: CommandContext, *, reason: Reason) -> None:
    """Start a suspended or deactivated tenant again; keys that were active work again."""
    suspensions = Suspensions(context.database)
    record = await suspensions.restore(context.tenant, reason, context.operator, context.clock())
    context.output.record(tenant_row(record))


async def _first_credits(context: CommandContext, tenant: str, amount: MicroCredits, now: Micros) -> None:
    operation_id = f"cli-{secrets.token_hex(8)}"
    try:
        await grant(context.database, tenant=tenant, amount=amount, operation_id=operation_id, now=now)
    except DynamoError as error:
        again = f"callmissed credits grant {show(amount)} --tenant {tenant} --operation-id {operation_id}"
        raise CommandError(
            f"The tenant {tenant} was created, its credits perhaps not: {explain(error, context.settings)} Try: {again}"
        ) from error
