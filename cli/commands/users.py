"""`callmissed users`."""

from typing import Annotated, Literal

import typer

from callmissed.aws.secrets import sealing_ring
from callmissed.idempotency.operation import Operation
from callmissed.platform.routes import Role
from callmissed.sealing import Sealer
from callmissed.tenants.tenants import get_tenant
from callmissed.tenants.users import list_users
from cli.context import CommandContext
from cli.groups import command_group
from cli.rows import USERS, user_row
from cli.stage_command import stage_command
from functions.auth.limits import SlidingWindows
from functions.auth.mail.outlet import MailOutlet
from functions.auth.mail.quota import MailQuota
from functions.auth.team.invitation import Invitation
from functions.auth.team.service import Team

users = command_group("users")

UserId = Annotated[str, typer.Argument(metavar="USER", help="The person's id, such as usr_…")]


@stage_command(users, "invite")
async def invite(
    context: CommandContext,
    *,
    email: Annotated[str, typer.Option(help="Where the person reads mail.")],
    name: Annotated[str, typer.Option(help="The person's name.")],
    role: Annotated[Literal["admin", "agent"], typer.Option(help="What the person may do.")] = "agent",
) -> None:
    """Add a person, who gets a mail; the first person of a tenant becomes its owner."""
    team, tenant, now = _team(context), context.tenant, context.clock()
    invitation = Invitation(email, name, Role(role))
    if (await get_tenant(context.database, tenant, consistent=True)).owner:
        user = await team.invite(tenant, invitation, context.operator, now, Operation.new())
    else:
        user = await team.appoint_owner(tenant, invitation, context.operator, now)
    context.output.record(user_row(user))


@stage_command(users, "list")
async def list_all(context: CommandContext) -> None:
    """List a tenant's people, oldest first."""
    await get_tenant(context.database, context.tenant)
    found = await list_users(context.database, context.tenant)
    context.output.rows([user_row(user) for user in found], USERS)


@stage_command(users, "deactivate")
async def deactivate(context: CommandContext, *, user_id: UserId) -> None:
    """Keep a person from signing in, and end all sessions."""
    team = _team(context)
    user = await team.change(context.tenant, user_id, {"is_active": False}, context.operator, context.clock())
    context.output.record(user_row(user))


def _team(context: CommandContext) -> Team:
    windows = SlidingWindows(context.database)
    outlet = MailOutlet(context.mails(), Sealer(sealing_ring(context.settings)))
    return Team(context.database, windows, MailQuota(windows), outlet)
