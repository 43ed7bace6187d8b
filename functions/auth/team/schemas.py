"""API models of a tenant's people; docs/api/openapi.json is made from them."""

from typing import Literal, Self

from pydantic import BaseModel, Field

from callmissed.errors import invalid_request
from callmissed.platform.routes.route import Role
from callmissed.tenants.users import User
from callmissed.web.schemas import RequestModel
from functions.auth.sign_in.schemas import Email, FullName, NewPassword
from functions.auth.team.invitation import Invitation


class InvitationForm(RequestModel):
    """A person to invite. Without a password the person sets one with a code that is mailed to the address."""

    email: Email
    full_name: FullName
    password: NewPassword | None = None
    role: Role = Role.AGENT

    @property
    def invitation(self) -> Invitation:
        """Who is invited. Raises ApiError 400 for an owner."""
        if self.role is Role.OWNER:
            raise invalid_request("A tenant has one owner: invite as admin, then transfer the ownership.", "role")
        return Invitation(self.email, self.full_name, self.role, self.password)


class UserChanges(RequestModel):
    """Changes of a person; the ownership is transferred elsewhere."""

    full_name: FullName | None = None
    role: Literal["admin", "agent"] | None = None
    is_active: bool | None = None


class RoleForm(RequestModel):
    """A role to give. With `owner` the ownership is transferred."""

    role: Role = Field(description="`owner` transfers the ownership: the caller becomes an admin.")


class TeamMember(BaseModel):
    """A person of the tenant."""

    id: str
    tenant_id: str
    email: str
    full_name: str
    phone_number: str | None
    role: str
    is_active: bool
    created_at: str
    updated_at: str

    @classmethod
    def of(cls, user: User) -> Self:
        """The person."""
        return cls(
            id=user.user_id,
            tenant_id=user.tenant,
            email=user.email,
            full_name=user.full_name,
            phone_number=user.phone_number or None,
            role=str(user.role),
            is_active=user.is_active,
            created_at=user.created_at,
            updated_at=user.updated_at,
        )
