"""`callmissed tenants`."""

import secrets
from typing import Annotated

import typer

from callmissed.aws.dynamodb import DynamoError
from callmissed.ledger.grants import grant
from callmissed.ledger.queries import balance
from callmissed.money import show
from callmissed.tenancy.plans import Plan
from callmissed.tenancy.tenants import create_tenant, get_tenant, list_tenants
from cli.failures import CommandError, explain
from cli.operation import Session, operation
from cli.rows import TENANTS, balance_row, tenant_row
from cli.values import credits as credits_value

tenants = typer.Typer(name="tenants", help="The organisations to whom everything belongs.", no_args_is_help=True)


@operation(tenants, "create", of_tenant=False)
async def create(
    session: Session,
    *,
    name: Annotated[str, typer.Option(help="What people call the tenant.")],
    plan: Annotated[Plan, typer.Option(help="Its limits and model access.")] = Plan.FREE,
    credits: Annotated[
        int | None, typer.Option(parser=credits_value, metavar="CREDITS", help="Credits to begin with.")
    ] = None,
) -> None:
    """Create a tenant."""
    now = session.clock()
    record = await create_tenant(session.database, name=name, plan=plan, now=now)
    if credits:
        await _first_credits(session, record.tenant_id, credits, now)
    session.output.record({**tenant_row(record), "credits": show(credits or 0)})


@operation(tenants, "list", of_tenant=False)
async def list_all(session: Session) -> None:
    """List all tenants, oldest first."""
    records = await list_tenants(session.database)
    session.output.rows([tenant_row(record) for record in records], TENANTS)


@operation(tenants, "show")
async def show_one(session: Session) -> None:
    """Show a tenant with its balance."""
    record = await get_tenant(session.database, session.tenant)
    money = await balance(session.database, session.tenant, session.clock())
    session.output.record({**tenant_row(record), **balance_row(money)})


async def _first_credits(session: Session, tenant: str, amount: int, now: int) -> None:
    operation_id = f"cli-{secrets.token_hex(8)}"
    try:
        await grant(session.database, tenant=tenant, amount=amount, operation_id=operation_id, now=now)
    except DynamoError as error:
        again = f"callmissed credits grant {show(amount)} --tenant {tenant} --operation-id {operation_id}"
        raise CommandError(
            f"The tenant {tenant} was created, its credits perhaps not: {explain(error, session.settings)} Try: {again}"
        ) from error
