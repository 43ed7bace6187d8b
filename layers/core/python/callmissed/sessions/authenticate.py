"""Who is behind an access token: one strongly consistent read of session, person and tenant.

Nothing is cached, so that signing out, a new password, another role and a suspension work on the next call.
"""

from dataclasses import dataclass

from callmissed.aws.database import Database
from callmissed.clock import Micros
from callmissed.errors import ApiError, account_closed
from callmissed.platform.routes.route import Role, Route
from callmissed.platform.tables import SESSIONS, TENANTS
from callmissed.sessions.records import Session, session_key, session_of
from callmissed.sessions.tokens import AccessClaims, AccessTokens, invalid_token
from callmissed.tenants.status import TenantStatus
from callmissed.tenants.tenants import Tenant, tenant_key, tenant_of
from callmissed.tenants.users import User, user_key, user_of


@dataclass(frozen=True, slots=True)
class SignedInPerson:
    """A signed-in person, as of one moment."""

    user: User
    tenant: Tenant
    session_id: str


class PersonAuthenticator:
    """Finds the person of an access token. Share one per process."""

    def __init__(self, database: Database, tokens: AccessTokens) -> None:
        self._database = database
        self._tokens = tokens

    async def authenticate(self, token: str, now: Micros) -> SignedInPerson:
        """The person of `token`. One read.

        Raises ApiError 401: `token_expired`, or `invalid_token` where the session is over; Unavailable.
        """
        claims = self._tokens.verify(token, now)
        found = await self._database.get_across(
            (SESSIONS, session_key(claims.user_id, claims.session_id)),
            (TENANTS, user_key(claims.tenant, claims.user_id)),
            (TENANTS, tenant_key(claims.tenant)),
        )
        if not all(found):
            raise invalid_token()
        session, user, tenant = session_of(found[0]), user_of(found[1]), tenant_of(found[2])
        if not _is_alive(session, user, claims, now):
            raise invalid_token()
        return SignedInPerson(user, tenant, session.session_id)


def _is_alive(session: Session, user: User, claims: AccessClaims, now: Micros) -> bool:
    is_of_generation = session.generation == user.generation
    return is_of_generation and session.expires > now and user.is_active and session.tenant == claims.tenant


def check_access(principal: SignedInPerson, route: Route) -> None:
    """Hold a person to the route's roles and to the state of the tenant. Raises ApiError 403."""
    check_tenant(principal.tenant, principal.user.role, while_inactive=route.while_inactive)
    if principal.user.role not in route.roles:
        raise ApiError(403, "permission_denied", f"Requires role: {' or '.join(_ordered(route.roles))}")


def check_tenant(tenant: Tenant, role: Role, *, while_inactive: bool) -> None:
    """Refuse the people of a tenant that is not active. Raises ApiError 403.

    What works `while_inactive` is open to the owner of a tenant that its owner has deactivated.
    """
    of_owner = tenant.status is TenantStatus.DEACTIVATED and role is Role.OWNER and while_inactive
    if tenant.status is not TenantStatus.ACTIVE and not of_owner:
        raise account_closed(tenant.status)


def _ordered(roles: frozenset[Role]) -> list[str]:
    return [str(role) for role in Role if role in roles]
