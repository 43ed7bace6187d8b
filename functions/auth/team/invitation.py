"""Invitations: who is to join a tenant."""

from dataclasses import dataclass, field, replace

from callmissed.clock import Micros, iso
from callmissed.errors import ApiError
from callmissed.platform.routes.route import Role
from callmissed.tenants.identity import identity
from callmissed.tenants.tenants import checked_name
from callmissed.tenants.users import User
from functions.auth.sign_in.passwords import hash_password


@dataclass(frozen=True, slots=True)
class Invitation:
    """A person to add. Without a `password` the person sets one with a code that is mailed to the address."""

    email: str
    full_name: str
    role: Role = Role.AGENT
    password: str | None = field(default=None, repr=False)

    def person(self, tenant: str, user_id: str, now: Micros) -> User:
        """The person, without a password yet. The address is not confirmed. Raises ApiError 400."""
        return User(
            tenant=tenant,
            user_id=user_id,
            email=identity(self.email),
            full_name=checked_name(self.full_name),
            role=self.role,
            created_at=iso(now),
            updated_at=iso(now),
        )

    def with_password(self, user: User) -> User:
        """The person with the hash of the password, if there is one."""
        return replace(user, password=hash_password(self.password)) if self.password else user


def already_registered(in_team: bool) -> ApiError:
    """409: the address has an account, in this tenant or another."""
    message = "This person is in the team already." if in_team else "This address belongs to another organisation."
    return ApiError(409, "conflict", message)
