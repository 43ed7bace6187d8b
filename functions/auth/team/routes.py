"""/api/v1/users: a tenant's people."""

from typing import Annotated

from fastapi import APIRouter

from callmissed.tenants.tenants import checked_name
from callmissed.web.caller import PersonOf
from callmissed.web.dependencies import ClockOf, from_state
from callmissed.web.gateway_route import GatewayRoute
from callmissed.web.idempotency import OperationOf
from functions.auth.dependencies import ActorOf
from functions.auth.error_responses import ERRORS
from functions.auth.team.schemas import InvitationForm, RoleForm, TeamMember, UserChanges
from functions.auth.team.service import Team

router = APIRouter(prefix="/api/v1/users", tags=["team"], route_class=GatewayRoute)

TeamOf = Annotated[Team, from_state("team")]


@router.get("", summary="List the team", response_model=list[TeamMember], responses=ERRORS.session())
async def list_users(person: PersonOf, team: TeamOf) -> list[TeamMember]:
    """All people of the tenant, deactivated ones included, oldest first."""
    return [TeamMember.of(user) for user in await team.members(person.tenant)]


@router.post(
    "",
    summary="Invite a person",
    status_code=201,
    response_model=TeamMember,
    responses=ERRORS.session(changes=True),
)
async def invite(
    form: InvitationForm, person: PersonOf, actor: ActorOf, team: TeamOf, clock: ClockOf, operation: OperationOf
) -> TeamMember:
    """Add a person, who gets a mail and needs not confirm the address.

    At most 30 in any 24 hours, and as many as the plan has seats: 403 `limit_reached` then.
    """
    return TeamMember.of(await team.invite(person.tenant, form.invitation, actor, clock(), operation))


@router.put(
    "/{user_id}", summary="Change a person", response_model=TeamMember, responses=ERRORS.session(404, changes=True)
)
async def change_user(
    user_id: str, changes: UserChanges, person: PersonOf, actor: ActorOf, team: TeamOf, clock: ClockOf
) -> TeamMember:
    """Change what the body names. A person who is deactivated is signed out everywhere."""
    named = changes.model_dump(exclude_none=True)
    if "full_name" in named:
        named["full_name"] = checked_name(named["full_name"])
    return TeamMember.of(await team.change(person.tenant, user_id, named, actor, clock()))


@router.patch(
    "/{user_id}/role",
    summary="Give a role, or transfer the ownership",
    response_model=TeamMember,
    responses=ERRORS.session(404, changes=True),
)
async def assign_role(
    user_id: str, form: RoleForm, person: PersonOf, actor: ActorOf, team: TeamOf, clock: ClockOf
) -> TeamMember:
    """Give a person a role. A new owner takes the place of the caller, who becomes an admin; both get a mail."""
    return TeamMember.of(await team.assign_role(person.tenant, user_id, form.role, actor, clock()))


@router.delete("/{user_id}", summary="Remove a person", status_code=204, responses=ERRORS.session(400, 404, 409))
async def remove_user(user_id: str, person: PersonOf, actor: ActorOf, team: TeamOf, clock: ClockOf) -> None:
    """Remove a person for good: sessions end with the next call, and the address is free."""
    await team.remove(person.tenant, user_id, actor, clock())
