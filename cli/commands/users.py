"""`callmissed users`."""

from typing import Annotated, Literal
from urllib.parse import quote

import typer

from callmissed.tenants.tenants import get_tenant
from callmissed.tenants.users import list_users
from cli.context import CommandContext
from cli.groups import command_group
from cli.rows import USERS, user_row
from cli.stage_command import stage_command

users = command_group("users")

UserId = Annotated[str, typer.Argument(metavar="USER", help="The person's id, such as usr_…")]


@stage_command(users, "invite", changes=True)
async def invite(
    context: CommandContext,
    *,
    email: Annotated[str, typer.Option(help="Where the person reads mail.")],
    name: Annotated[str, typer.Option(help="The person's name.")],
    role: Annotated[Literal["admin", "agent"], typer.Option(help="What the person may do.")] = "agent",
) -> None:
    """Add a person, who gets a mail; the first person of a tenant becomes its owner."""
    context.output.record(await context.operate_on_tenant("POST", "/users", email=email, full_name=name, role=role))


@stage_command(users, "list")
async def list_all(context: CommandContext) -> None:
    """List a tenant's people, oldest first."""
    await get_tenant(context.database, context.tenant)
    found = await list_users(context.database, context.tenant)
    context.output.rows([user_row(user) for user in found], USERS)


@stage_command(users, "deactivate", changes=True)
async def deactivate(context: CommandContext, *, user_id: UserId) -> None:
    """Keep a person from signing in, and end all sessions."""
    path = f"/users/{quote(user_id, safe='')}/deactivate"
    context.output.record(await context.operate_on_tenant("POST", path))
