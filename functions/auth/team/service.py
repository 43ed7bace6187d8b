"""A tenant's people.

Exactly one active owner, at every moment: only a transfer of the ownership gives the owner another role, and nothing
removes or deactivates the owner. A change reads the person and writes on the condition that nobody has changed it
since, so what was decided about an admin never happens to an owner. A change that conflicts with another reads again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from callmissed.audit.events import Actor, AuditEvent, audit_operation
from callmissed.aws.database import Database
from callmissed.aws.dynamodb import TransactionCanceled
from callmissed.aws.operations import WriteOperation
from callmissed.clock import Micros, iso
from callmissed.errors import ApiError, account_closed
from callmissed.idempotency.operation import Operation
from callmissed.plans.plans import limits
from callmissed.platform.routes.route import Role
from callmissed.rate_limits import Limit, SlidingWindows
from callmissed.tenants.tenants import Tenant, get_tenant
from callmissed.tenants.users import (
    User,
    add_owner,
    add_user,
    find_address,
    get_user,
    list_users,
    remove_user,
    transfer_ownership,
    update_user,
)
from functions.auth.mail.jobs import MailJob
from functions.auth.mail.outlet import MailOutlet
from functions.auth.mail.quota import MailQuota
from functions.auth.team.guards import check_assignment, check_change, check_removal, retried
from functions.auth.team.invitation import Invitation, already_registered

INVITATIONS = Limit("invitations", 30, 24 * 3600)


class Team:
    """The people of tenants. Every method raises Unavailable when DynamoDB does not answer."""

    def __init__(self, database: Database, windows: SlidingWindows, quota: MailQuota, mails: MailOutlet) -> None:
        self._database = database
        self._windows = windows
        self._quota = quota
        self._mails = mails

    async def members(self, tenant: str) -> list[User]:
        """The tenant's people, oldest first."""
        return await list_users(self._database, tenant)

    async def invite(
        self, tenant: str, invitation: Invitation, actor: Actor, now: Micros, operation: Operation
    ) -> User:
        """Add a person, who gets a mail; the same `operation` adds the same person.

        Raises ApiError 400 for the address or the name, 403 `limit_reached` where no seat is free, 409 for an address
        that has an account, 429.
        """
        await self._windows.count(INVITATIONS, tenant, now)  # first: answers reveal addresses with accounts
        return await self._join(tenant, invitation, operation.new_id("usr"), actor, now)

    async def appoint_owner(self, tenant: str, invitation: Invitation, actor: Actor, now: Micros) -> User:
        """Add the owner of a tenant that has none. Raises ApiError 400, 403 for a tenant that is not active, 409."""
        invitation = replace(invitation, role=Role.OWNER)
        return await self._join(tenant, invitation, Operation.new().new_id("usr"), actor, now)

    async def change(self, tenant: str, user_id: str, changes: Mapping[str, Any], actor: Actor, now: Micros) -> User:
        """Change name, role (to admin or agent), or whether the person may sign in. Raises ApiError 400, 404, 409."""

        async def attempt() -> User:
            user = await get_user(self._database, tenant, user_id)
            wanted = {name: value for name, value in changes.items() if getattr(user, name) != value}
            if not wanted:
                return user
            check_change(user, wanted, actor)
            metadata = {"before": {name: getattr(user, name) for name in wanted}, "after": wanted}
            ended = {"generation": user.generation + 1} if wanted.get("is_active") is False else {}
            event = AuditEvent(tenant, "user.update", "user", user_id, actor, metadata)
            await self._transact([update_user(user, now, **wanted, **ended)], event, now)
            return replace(user, **wanted, **ended, updated_at=iso(now), revision=user.revision + 1)

        return await retried(attempt)

    async def assign_role(self, tenant: str, user_id: str, role: Role, actor: Actor, now: Micros) -> User:
        """Give the person a role; with `owner` the acting owner becomes an admin, and both get a mail.

        Raises ApiError 400, 403 for somebody who is no longer the owner, 404, 409.
        """
        former: User | None = None

        async def attempt() -> User:
            nonlocal former
            user, owner = await get_user(self._database, tenant, user_id), await self._owner(tenant, actor)
            if user.role is role:
                return user
            check_assignment(user, role, actor)
            former = owner if role is Role.OWNER else None
            changed = transfer_ownership(owner, user, now) if former else [update_user(user, now, role=str(role))]
            metadata = {"from": str(user.role), "to": str(role), "ownership_transfer": bool(former)}
            await self._transact(changed, AuditEvent(tenant, "role.change", "user", user_id, actor, metadata), now)
            return replace(user, role=role, updated_at=iso(now), revision=user.revision + 1)

        user = await retried(attempt)
        if former:
            await self._mail_transfer(former, user)
        return user

    async def remove(self, tenant: str, user_id: str, actor: Actor, now: Micros) -> None:
        """Remove a person; the address is free at once. Raises ApiError 400 for the owner or oneself, 404, 409."""

        async def attempt() -> None:
            user = await get_user(self._database, tenant, user_id)
            check_removal(user, actor)
            event = AuditEvent(tenant, "user.delete", "user", user_id, actor, _described(user))
            await self._transact(await remove_user(self._database, user), event, now)

        await retried(attempt)

    async def _owner(self, tenant: str, actor: Actor) -> User:
        """The acting owner. Raises ApiError 403 for somebody who has ceased to be the owner."""
        owner = await get_user(self._database, tenant, actor.actor_id)
        if owner.role is not Role.OWNER:
            raise ApiError(403, "permission_denied", "Requires role: owner")
        return owner

    async def _join(self, tenant_id: str, invitation: Invitation, user_id: str, actor: Actor, now: Micros) -> User:
        user = invitation.person(tenant_id, user_id, now)
        address = await find_address(self._database, user.email, now)
        if address.user_id not in ("", user_id):
            raise already_registered(address.tenant == tenant_id)
        await self._quota.require("invitation", user.email, now)
        tenant = await get_tenant(self._database, tenant_id, consistent=True)
        user = invitation.with_password(user)
        event = AuditEvent(tenant_id, "user.invite", "user", user_id, actor, _described(user))
        added = add_owner(user) if user.role is Role.OWNER else add_user(user, limits(tenant.plan).team_members)
        try:
            await self._transact(added, event, now)
        except TransactionCanceled:
            user = await self._added_before(user, now)
        await self._mail_invitation(user, tenant, actor)
        return user

    async def _added_before(self, user: User, now: Micros) -> User:
        """The person, if an earlier run of the operation added it. Raises ApiError 403, 409 for why it was refused."""
        address = await find_address(self._database, user.email, now)
        if address.user_id == user.user_id:
            return await get_user(self._database, user.tenant, user.user_id)
        if address.user_id:
            raise already_registered(address.tenant == user.tenant)
        tenant = await get_tenant(self._database, user.tenant, consistent=True)
        if not tenant.is_active:
            raise account_closed(tenant.status)
        if user.role is Role.OWNER:
            raise ApiError(409, "conflict", "The tenant has an owner.")
        message = f"All {limits(tenant.plan).team_members} seats of the plan '{tenant.plan}' are taken."
        raise ApiError(403, "limit_reached", message)

    async def _mail_invitation(self, user: User, tenant: Tenant, actor: Actor) -> None:
        try:
            inviter = (await get_user(self._database, tenant.tenant_id, actor.actor_id)).full_name
        except ApiError:
            inviter = "CallMissed"  # an operator
        parameters = {"full_name": user.full_name, "inviter": inviter, "tenant": tenant.name}
        await self._mails.report(
            [MailJob("invitation", user.email, {**parameters, "has_password": bool(user.password)})]
        )

    async def _mail_transfer(self, former: User, owner: User) -> None:
        names = {"former": former.full_name, "owner": owner.full_name}
        await self._mails.report(
            [MailJob("ownership_received", owner.email, names), MailJob("ownership_given", former.email, names)]
        )

    async def _transact(self, operations: Sequence[WriteOperation], event: AuditEvent, now: Micros) -> None:
        await self._database.transact([*operations, audit_operation(event, now)])


def _described(user: User) -> Mapping[str, str]:
    return {"email": user.email, "role": str(user.role)}
